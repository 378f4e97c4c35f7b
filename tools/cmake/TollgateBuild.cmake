# How every target of this repository is built: language, warnings, visibility, sanitizers, where programs land.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

add_library(tollgate_options INTERFACE)
target_compile_options(tollgate_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Werror=return-type>)
# GCC 12 sees overlaps in std::string's operator+ that are not there (GCC bug 105329).
target_compile_options(tollgate_options INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>)
if(TOLLGATE_WERROR)
  target_compile_options(tollgate_options INTERFACE -Werror)
endif()
# No BoringSSL symbol leaves anything that we link: the host may have an OpenSSL of its own.
# Clang's sanitizer runtimes are archives too, whose interceptors must stay visible to every shared library.
if(TOLLGATE_SANITIZE)
  target_link_options(tollgate_options INTERFACE -Wl,--exclude-libs,libcrypto.a)
else()
  target_link_options(tollgate_options INTERFACE -Wl,--exclude-libs,ALL)
endif()
# GCC 12 takes what a sanitizer adds to std::regex for uses of what was not initialized (GCC bug 105562), and a counting
# operator delete that it inlined for one that does not match its new.
if(TOLLGATE_SANITIZE)
  target_compile_options(tollgate_options INTERFACE
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized -Wno-mismatched-new-delete>)
endif()
if(TOLLGATE_SANITIZE)
  add_compile_options(-fsanitize=${TOLLGATE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TOLLGATE_SANITIZE})
endif()
if(TOLLGATE_LIBFUZZER)
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

# tollgate_room(NAME SOURCES… DEPS room… [LIBS target…] [PRIVATE_LIBS target…])
# One room of engine/: a static library whose link dependencies are the rooms that it may include
# (tests/layering checks the includes against the same DAG).
function(tollgate_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;DEPS;LIBS;PRIVATE_LIBS" ${ARGN})
  list(TRANSFORM ROOM_DEPS PREPEND tollgate_)
  if(ROOM_SOURCES)
    add_library(tollgate_${name} STATIC ${ROOM_SOURCES})
    target_include_directories(tollgate_${name} PUBLIC ${PROJECT_SOURCE_DIR}/engine ${PROJECT_SOURCE_DIR}/engine/include)
    target_link_libraries(tollgate_${name} PUBLIC ${ROOM_DEPS} ${ROOM_LIBS} PRIVATE tollgate_options ${ROOM_PRIVATE_LIBS})
    # GCC 12 gathers scalars into a vector through the stack, where a load that spans two stores waits for both: a
    # comparison of a tool's name took 5 ns longer.
    target_compile_options(tollgate_${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-tree-vectorize>)
  else()
    add_library(tollgate_${name} INTERFACE)
    target_include_directories(tollgate_${name} INTERFACE ${PROJECT_SOURCE_DIR}/engine ${PROJECT_SOURCE_DIR}/engine/include)
    target_link_libraries(tollgate_${name} INTERFACE ${ROOM_DEPS} ${ROOM_LIBS})
  endif()
  set_property(GLOBAL APPEND PROPERTY TOLLGATE_ROOMS ${name})
endfunction()

# Builds the tests labelled `threads` alone, which is all that a ThreadSanitizer build is for.
add_custom_target(thread_tests)

# tollgate_test(NAME SOURCES… LIBS target… [LABELS …])  a GoogleTest program, one ctest entry.
# One entry a program and not a case: starting a process costs more than most cases, under sanitizers above all.
function(tollgate_test name)
  cmake_parse_arguments(TEST "" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE tollgate_options ${TEST_LIBS} GTest::gmock GTest::gtest GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${TEST_LABELS}")
  if("threads" IN_LIST TEST_LABELS)
    add_dependencies(thread_tests ${name})
  endif()
  if(TEST_TIMEOUT)
    set_tests_properties(${name} PROPERTIES TIMEOUT ${TEST_TIMEOUT})
  endif()
endfunction()
