#include "policy_file/blank.h"

namespace tollgate::policy_file {

const Policy& Blank() {
  static const Policy& blank =
      *new Policy(PolicyBuilder().AddProtocol().Build().value());  // Never destroyed.
  return blank;
}

}  // namespace tollgate::policy_file
