/* A policy as a YAML file, from C. */
#include <stdio.h>
#include <tollgate/c/policy_file.h>

int main(void) {
  tollgate_error error = {.struct_size = sizeof error};
  tollgate_policy* policy = NULL;
  if (tollgate_policy_from_yaml(tollgate_str("version: 1\nservers:\n- tools: {search: files:read}\n"),
                                &policy, &error) != TOLLGATE_OK) {
    printf("not read: %s\n", error.message);
    return 1;
  }
  tollgate_policy_free(policy);
  return tollgate_policy_from_yaml(tollgate_str("version: 1\n"), &policy, &error) == TOLLGATE_INVALID_ARGUMENT
             ? 0
             : 1;
}
