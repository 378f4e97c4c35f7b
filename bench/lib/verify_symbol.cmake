# cmake -DNM=… -DARCHIVE=libtollgate_crypto.a -DOUT=DIR -P verify_symbol.cmake: finds the linker's name of
# crypto::VerifyKey::Verify and writes what replaces it: OUT/verify_symbol.h for the compiler and OUT/wrap.rsp for the
# linker. Fails unless there is exactly one: a replacement that replaces nothing would be timed as if it did.
execute_process(COMMAND ${NM} --defined-only ${ARCHIVE} OUTPUT_VARIABLE symbols ERROR_VARIABLE error RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "verify_symbol: ${NM} cannot read ${ARCHIVE}: ${error}")
endif()
# The Itanium ABI's name of a const member function of that class; its parameters follow.
string(REGEX MATCHALL " [TW] _ZNK8tollgate6crypto9VerifyKey6VerifyE[A-Za-z0-9_]*" found "${symbols}")
list(REMOVE_DUPLICATES found)
list(LENGTH found count)
if(NOT count EQUAL 1)
  message(FATAL_ERROR "verify_symbol: ${ARCHIVE} defines ${count} functions named crypto::VerifyKey::Verify, not one")
endif()
string(REGEX REPLACE "^ [TW] " "" symbol "${found}")
file(WRITE ${OUT}/verify_symbol.h "#define TOLLGATE_VERIFY_SYMBOL \"${symbol}\"\n")
file(WRITE ${OUT}/wrap.rsp "-Wl,--wrap=${symbol}\n")
