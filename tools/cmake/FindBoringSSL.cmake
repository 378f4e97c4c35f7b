# FindBoringSSL: the imported target BoringSSL::crypto, always a static archive.
#
# -DBoringSSL_ROOT=DIR takes a BoringSSL that the user built or installed: DIR/include/openssl and libcrypto.a in DIR,
# DIR/lib, DIR/build or DIR/build/crypto. Without it, tools/boringssl builds Debian's source package once, into a cache
# outside the build tree.
#
# Sets BoringSSL_FOUND, BoringSSL_INCLUDE_DIR, BoringSSL_CRYPTO_LIBRARY.

set(BoringSSL_ROOT "" CACHE PATH "A BoringSSL of yours; empty: tools/boringssl builds Debian's source package")
set(_BoringSSL_dir "${BoringSSL_ROOT}")
if(NOT _BoringSSL_dir)
  if(CMAKE_CROSSCOMPILING)
    message(FATAL_ERROR "cross-compiling: give a BoringSSL built for the target with -DBoringSSL_ROOT=DIR")
  endif()
  execute_process(
    COMMAND "${CMAKE_CURRENT_LIST_DIR}/../boringssl"
    OUTPUT_VARIABLE _BoringSSL_dir OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE _BoringSSL_result)
  if(NOT _BoringSSL_result EQUAL 0)
    message(FATAL_ERROR "tools/boringssl failed (see above); -DBoringSSL_ROOT=DIR uses a BoringSSL of yours")
  endif()
endif()

# Not cached: with another BoringSSL_ROOT, or a changed recipe, the next configure must see the other library.
unset(BoringSSL_INCLUDE_DIR CACHE)
unset(BoringSSL_CRYPTO_LIBRARY CACHE)
find_path(BoringSSL_INCLUDE_DIR openssl/crypto.h PATHS "${_BoringSSL_dir}/include" NO_DEFAULT_PATH NO_CACHE)
find_library(BoringSSL_CRYPTO_LIBRARY libcrypto.a PATHS "${_BoringSSL_dir}"
  PATH_SUFFIXES lib build build/crypto NO_DEFAULT_PATH NO_CACHE)

set(_BoringSSL_reason "")
if(BoringSSL_INCLUDE_DIR)
  set(_BoringSSL_base "${BoringSSL_INCLUDE_DIR}/openssl/base.h")
  set(_BoringSSL_mark "")
  if(EXISTS "${_BoringSSL_base}")
    file(STRINGS "${_BoringSSL_base}" _BoringSSL_mark REGEX "define[ \t]+OPENSSL_IS_BORINGSSL")
  endif()
  if(NOT _BoringSSL_mark)
    set(_BoringSSL_reason "the headers in ${BoringSSL_INCLUDE_DIR} are not BoringSSL's (no OPENSSL_IS_BORINGSSL)")
    unset(BoringSSL_INCLUDE_DIR)
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(BoringSSL
  REQUIRED_VARS BoringSSL_CRYPTO_LIBRARY BoringSSL_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "${_BoringSSL_reason}")

if(BoringSSL_FOUND AND NOT TARGET BoringSSL::crypto)
  find_package(Threads REQUIRED)
  add_library(BoringSSL::crypto STATIC IMPORTED)
  set_target_properties(BoringSSL::crypto PROPERTIES
    IMPORTED_LOCATION "${BoringSSL_CRYPTO_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${BoringSSL_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES Threads::Threads)
endif()
