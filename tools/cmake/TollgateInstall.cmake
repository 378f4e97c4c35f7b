# What others link: libtollgate.so, libtollgate.a, the public headers, find_package(tollgate) and pkg-config.
#
# Both libraries hold every room of engine/ and BoringSSL's libcrypto, and show neither. The shared one exports what
# TOLLGATE_API marks. The static one is a single relocatable object whose other symbols have been made local: otherwise
# a host that links OpenSSL beside it would get one library's calls into the other's functions, silently.
#
# Not under sanitizers: such libraries are for the tests of this build tree alone.

if(TOLLGATE_SANITIZE OR TOLLGATE_LIBFUZZER)
  return()
endif()
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# The rooms' objects, and the libraries outside this repository that they need.
get_property(rooms GLOBAL PROPERTY TOLLGATE_ROOMS)
list(REMOVE_ITEM rooms policy_file)  # Below, as a library of its own.
set(room_objects "")
set(room_libs "")
foreach(room IN LISTS rooms)
  get_target_property(type tollgate_${room} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    list(APPEND room_objects $<TARGET_OBJECTS:tollgate_${room}>)
    get_target_property(libs tollgate_${room} LINK_LIBRARIES)
    list(APPEND room_libs ${libs})
  endif()
endforeach()
list(REMOVE_DUPLICATES room_libs)
list(FILTER room_libs EXCLUDE REGEX "^tollgate_|^BoringSSL::crypto$|NOTFOUND$")
set(public_libs absl::status absl::statusor Threads::Threads)

add_library(tollgate_shared SHARED ${room_objects})
target_link_libraries(tollgate_shared PUBLIC ${public_libs} PRIVATE tollgate_options ${room_libs} BoringSSL::crypto)
# The version script hides what visibility does not reach: instantiated templates of the standard library.
set(exports "${CMAKE_CURRENT_LIST_DIR}/tollgate.map")
target_link_options(tollgate_shared PRIVATE -Wl,--version-script=${exports} -Wl,--no-undefined)
set_target_properties(tollgate_shared PROPERTIES
  OUTPUT_NAME tollgate EXPORT_NAME tollgate LINKER_LANGUAGE CXX LINK_DEPENDS "${exports}"
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

# Groups are dissolved before hidden symbols become local: a host that includes our headers has groups of the same names,
# and a linker that keeps the host's copy would drop the sections that our local symbols need.
# Unique symbols (statics of inline functions, such as the digits of std::to_string) are weakened first: objcopy makes none of
# them local, and the host has them, too. Nothing undefined becomes weak by that: the linker would leave it out.
set(relocatable "${CMAKE_CURRENT_BINARY_DIR}/tollgate.o")
add_custom_command(
  OUTPUT "${relocatable}"
  COMMAND "${CMAKE_LINKER}" -r --force-group-allocation -o "${relocatable}" ${room_objects}
    $<TARGET_FILE:BoringSSL::crypto>
  COMMAND "${CMAKE_OBJCOPY}" --wildcard --weaken-symbol=_ZZN* --weaken-symbol=_ZN4absl*kMovedFromStringE
    "${relocatable}"
  COMMAND "${CMAKE_OBJCOPY}" --localize-hidden --wildcard --keep-global-symbol=_ZN8tollgate*
    --keep-global-symbol=_ZNK8tollgate* --keep-global-symbol=_ZT?N8tollgate* --keep-global-symbol=tollgate_*
    "${relocatable}"
  DEPENDS ${room_objects} $<TARGET_FILE:BoringSSL::crypto>
  COMMAND_EXPAND_LISTS VERBATIM)
add_library(tollgate_static STATIC "${relocatable}")
# A program in C has no C++ library of its own.
target_link_libraries(tollgate_static INTERFACE ${public_libs} ${room_libs} ${CMAKE_DL_LIBS}
  $<$<LINK_LANGUAGE:C>:stdc++> $<$<LINK_LANGUAGE:C>:m>)
set_target_properties(tollgate_static PROPERTIES OUTPUT_NAME tollgate LINKER_LANGUAGE CXX)
set_source_files_properties("${relocatable}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)

foreach(library shared static)
  target_compile_features(tollgate_${library} INTERFACE cxx_std_20)
  target_include_directories(tollgate_${library} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/engine/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()
# The names of the installed package, for those who add this repository as a subdirectory.
add_library(tollgate::tollgate ALIAS tollgate_shared)
add_library(tollgate::tollgate_static ALIAS tollgate_static)

# Policies as files, for those who want them: libtollgate_policy_file, which needs yaml-cpp and the library above.
if(TOLLGATE_POLICY_FILE)
  add_library(tollgate_policy_file_shared SHARED $<TARGET_OBJECTS:tollgate_policy_file>)
  target_link_libraries(tollgate_policy_file_shared PUBLIC tollgate_shared
    PRIVATE tollgate_options yaml-cpp absl::flat_hash_map absl::flat_hash_set)
  target_link_options(tollgate_policy_file_shared PRIVATE -Wl,--version-script=${exports} -Wl,--no-undefined)
  set_target_properties(tollgate_policy_file_shared PROPERTIES
    OUTPUT_NAME tollgate_policy_file EXPORT_NAME policy_file LINKER_LANGUAGE CXX LINK_DEPENDS "${exports}"
    INSTALL_RPATH "$ORIGIN"  # libtollgate is beside it, and a program that links both may name this one alone.
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  add_library(tollgate_policy_file_static STATIC $<TARGET_OBJECTS:tollgate_policy_file>)
  target_link_libraries(tollgate_policy_file_static PUBLIC tollgate_static
    PRIVATE yaml-cpp absl::flat_hash_map absl::flat_hash_set)
  set_target_properties(tollgate_policy_file_static PROPERTIES
    OUTPUT_NAME tollgate_policy_file EXPORT_NAME policy_file_static LINKER_LANGUAGE CXX)
  add_library(tollgate::policy_file ALIAS tollgate_policy_file_shared)
  add_library(tollgate::policy_file_static ALIAS tollgate_policy_file_static)
endif()

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/tollgate")
install(TARGETS tollgate_shared tollgate_static EXPORT tollgateTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT engine NAMELINK_COMPONENT engine
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT engine)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/engine/include/tollgate"
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT engine FILES_MATCHING PATTERN "*.h"
  PATTERN policy_file.h EXCLUDE)
install(EXPORT tollgateTargets NAMESPACE tollgate:: DESTINATION ${package_dir} COMPONENT engine)
if(TOLLGATE_POLICY_FILE)
  install(TARGETS tollgate_policy_file_shared tollgate_policy_file_static EXPORT tollgatePolicyFileTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT policy_file NAMELINK_COMPONENT policy_file
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT policy_file)
  install(FILES "${PROJECT_SOURCE_DIR}/engine/include/tollgate/policy_file.h"
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tollgate COMPONENT policy_file)
  install(FILES "${PROJECT_SOURCE_DIR}/engine/include/tollgate/c/policy_file.h"
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tollgate/c COMPONENT policy_file)
  install(EXPORT tollgatePolicyFileTargets NAMESPACE tollgate:: DESTINATION ${package_dir} COMPONENT policy_file)
endif()

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/tollgateConfig.cmake.in"
  "${CMAKE_CURRENT_BINARY_DIR}/tollgateConfig.cmake" INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break what links it.
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/tollgateConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/tollgateConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/tollgateConfigVersion.cmake"
  DESTINATION ${package_dir} COMPONENT engine)

# tollgate.pc finds its prefix from where it lies, so that the installed tree may be moved.
file(RELATIVE_PATH pc_to_prefix "/p/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/p")
configure_file("${CMAKE_CURRENT_LIST_DIR}/tollgate.pc.in" "${CMAKE_CURRENT_BINARY_DIR}/tollgate.pc" @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/tollgate.pc"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT engine)
