#include "verify_one.h"

int main() { return VerifiesOneToken() ? 0 : 1; }
