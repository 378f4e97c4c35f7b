#pragma once

#ifdef __cplusplus
extern "C" {
#endif

// run_whole_check has an engine, made and asked in C, allow `authorization` at the tool "search", deny it at
// "delete", and deny what comes without; it prints what it was told. 0 if all is as it should be.
int run_whole_check(const char* jwks, const char* authorization);

#ifdef __cplusplus
}
#endif
