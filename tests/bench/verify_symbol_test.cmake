# cmake -DNM=… -DSCRIPT=verify_symbol.cmake -DWITH=… -DWITHOUT=… -DOUT=DIR -P verify_symbol_test.cmake: the script finds
# the function in the library WITH it and refuses the one WITHOUT it.
file(MAKE_DIRECTORY ${OUT})
execute_process(COMMAND ${CMAKE_COMMAND} -DNM=${NM} -DARCHIVE=${WITH} -DOUT=${OUT} -P ${SCRIPT} RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "not found in ${WITH}")
endif()
file(READ ${OUT}/wrap.rsp options)
if(NOT options MATCHES "^-Wl,--wrap=_ZNK8tollgate6crypto9VerifyKey6VerifyE[A-Za-z0-9_]+\n$")
  message(FATAL_ERROR "not an option for the linker: ${options}")
endif()
execute_process(COMMAND ${CMAKE_COMMAND} -DNM=${NM} -DARCHIVE=${WITHOUT} -DOUT=${OUT} -P ${SCRIPT}
  RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
if(NOT failed)
  message(FATAL_ERROR "found in ${WITHOUT}, where it is not")
endif()
