// The control: a library that does show a BoringSSL name. The test that looks for such must find this one.
__attribute__((visibility("default"))) int SHA256_Update(void) { return 0; }
