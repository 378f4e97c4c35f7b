#!/usr/bin/env python3
"""Each rule of layering.py refuses a small tree that breaks it, and nothing else about that tree."""

import pathlib
import tempfile
import unittest

import layering

GOOD = {
    "engine/include/tollgate/reason.h": '#pragma once\n#include <cstdint>\n#include "absl/status/status.h"\n',
    "engine/base/CMakeLists.txt": "tollgate_room(base)\n",
    "engine/base/limits.h": '#pragma once\n#include "tollgate/reason.h"\n',
    "engine/crypto/CMakeLists.txt": "tollgate_room(crypto SOURCES key.cc\n  DEPS base PRIVATE_LIBS BoringSSL::crypto)\n",
    "engine/crypto/key.h": '#pragma once\n#include "base/limits.h"\n',
    "engine/crypto/key.cc": '#include "crypto/key.h"\n#include <openssl/rsa.h>\n#include <sys/random.h>\n',
    "engine/json/CMakeLists.txt": "tollgate_room(json DEPS base PRIVATE_LIBS simdjson::simdjson)\n",
    "engine/json/reader.cc": "#include <simdjson.h>\n#include <string>\n",
    "engine/jose/CMakeLists.txt": "tollgate_room(jose DEPS base crypto)  # json is deliberately absent\n",
    "engine/jose/jws.h": '#pragma once\n#include "crypto/key.h"\n#include "absl/types/span.h"\n',
    "engine/transport/CMakeLists.txt": "tollgate_room(transport DEPS base PRIVATE_LIBS CURL::libcurl)\n",
    "engine/transport/url.h": "#pragma once\n#include <curl/curl.h>\n",
    "engine/keys/CMakeLists.txt": "tollgate_room(keys DEPS base jose transport)\n",
    "engine/keys/store.h": '#pragma once\n#include "transport/url.h"\n',
    "engine/introspection/CMakeLists.txt": "tollgate_room(introspection DEPS base transport)\n",
    "engine/introspection/client.h": '#pragma once\n#include "transport/url.h"\n',
    "engine/pipeline/CMakeLists.txt": "tollgate_room(pipeline DEPS base keys introspection)\n",
    "engine/pipeline/background.h": "#pragma once\n#include <thread>\nstd::jthread worker;\n",
}


def violations(**changed):
    """The violations of GOOD with files replaced or added; `__` in a name stands for "/", `_dot_` for "."."""
    files = dict(GOOD)
    for name, text in changed.items():
        files[name.replace("__", "/").replace("_dot_", ".")] = text
    with tempfile.TemporaryDirectory() as root:
        for name, text in files.items():
            path = pathlib.Path(root) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return layering.violations(root)


class LayeringTest(unittest.TestCase):
    def assert_refused(self, expected, **changed):
        found = violations(**changed)
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])

    def test_accepts_a_tree_that_keeps_the_rules(self):
        self.assertEqual(violations(), [])

    def test_refuses_an_empty_tree(self):
        with tempfile.TemporaryDirectory() as root:
            (pathlib.Path(root) / "engine").mkdir()
            self.assertEqual(layering.violations(root), ["engine/: no rooms"])

    def test_refuses_an_include_of_a_room_above(self):
        self.assert_refused(
            'engine/crypto/key.h:2: "jose/jws.h": jose is not among the DEPS of crypto',
            engine__crypto__key_dot_h='#pragma once\n#include "jose/jws.h"\n')

    def test_refuses_an_include_of_an_undeclared_room_below(self):
        self.assert_refused(
            "json is not among the DEPS of jose", engine__jose__more_dot_cc='#include "json/reader.cc"\n')

    def test_refuses_a_declared_dependency_that_points_up(self):
        self.assert_refused(
            "json (floor 1) depends on jose (floor 2)",
            engine__json__CMakeLists_dot_txt="tollgate_room(json DEPS base jose PRIVATE_LIBS simdjson::simdjson)\n")

    def test_refuses_a_declared_dependency_on_the_same_floor(self):
        self.assert_refused(
            "transport (floor 4) depends on keys (floor 4)",
            engine__transport__CMakeLists_dot_txt="tollgate_room(transport DEPS base keys PRIVATE_LIBS CURL::libcurl)\n")
        self.assert_refused(
            "introspection (floor 4) depends on keys (floor 4)",
            engine__introspection__CMakeLists_dot_txt="tollgate_room(introspection DEPS base keys transport)\n")

    def test_refuses_an_unknown_room(self):
        self.assert_refused(
            "room attic has no floor", engine__attic__CMakeLists_dot_txt="tollgate_room(attic DEPS base)\n")

    def test_refuses_a_directory_that_declares_no_room(self):
        self.assert_refused("engine/attic: no tollgate_room", engine__attic__box_dot_h="#pragma once\n")

    def test_refuses_a_dependency_that_is_no_room(self):
        self.assert_refused(
            "which is no room", engine__jose__CMakeLists_dot_txt="tollgate_room(jose DEPS base crypto cellar)\n")

    def test_refuses_boringssl_outside_crypto(self):
        self.assert_refused(
            "engine/jose/hash.cc:2: <openssl/sha.h> belongs to engine/crypto alone",
            engine__jose__hash_dot_cc='#include "jose/jws.h"\n#  include <openssl/sha.h>\n')

    def test_refuses_simdjson_outside_json(self):
        self.assert_refused("belongs to engine/json", engine__keys__read_dot_cc='#include "simdjson.h"\n')

    def test_refuses_curl_outside_transport(self):
        self.assert_refused("belongs to engine/transport", engine__keys__get_dot_cc="#include <curl/curl.h>\n")

    def test_refuses_yaml_cpp_outside_policy_file(self):
        self.assert_refused(
            "belongs to engine/policy_file", engine__keys__read_dot_cc="#include <yaml-cpp/parser.h>\n")

    def test_refuses_linking_a_library_of_another_room(self):
        self.assert_refused(
            "jose links BoringSSL::…, which only crypto may",
            engine__jose__CMakeLists_dot_txt="tollgate_room(jose DEPS base crypto PRIVATE_LIBS BoringSSL::crypto)\n")

    def test_refuses_passing_a_library_on(self):
        self.assert_refused(
            "BoringSSL::… belongs in PRIVATE_LIBS",
            engine__crypto__CMakeLists_dot_txt="tollgate_room(crypto DEPS base LIBS BoringSSL::crypto)\n")

    def test_refuses_a_private_header_in_a_public_one(self):
        self.assert_refused(
            'a public header may not include "base/limits.h"',
            engine__include__tollgate__engine_dot_h='#include "base/limits.h"\n')

    def test_refuses_abseil_beyond_status_in_a_public_header(self):
        self.assert_refused(
            "a public header may not include absl/strings/string_view.h",
            engine__include__tollgate__engine_dot_h='#include "absl/strings/string_view.h"\n')

    def test_refuses_a_path_relative_to_the_file(self):
        self.assert_refused(
            "is not a path relative to engine/", engine__jose__odd_dot_cc='#include "../crypto/key.h"\n')
        self.assert_refused("is not a path relative to engine/", engine__jose__odd_dot_cc='#include "jws.h"\n')

    def test_refuses_a_header_that_does_not_exist(self):
        self.assert_refused("does not exist", engine__jose__odd_dot_cc='#include "crypto/gone.h"\n')
        self.assert_refused("does not exist", engine__jose__odd_dot_cc='#include "tollgate/gone.h"\n')

    def test_refuses_other_libraries(self):
        self.assert_refused("neither ours nor the system's", engine__jose__x_dot_cc="#include <nlohmann/json.hpp>\n")
        self.assert_refused("not a header that engine/ may have", engine__jose__x_dot_cc="#include <xxhash.h>\n")

    def test_refuses_threads_outside_background(self):
        for code in ("std::thread t(f);", "std::jthread t(f);", "pthread_create(&t, 0, f, 0);", "std::async(f);"):
            self.assert_refused("threads begin in", engine__keys__run_dot_cc=code + "\n")

    def test_refuses_signing(self):
        for call in ("RSA_sign(", "ECDSA_sign(", "ED25519_sign(", "EVP_DigestSignInit(", "EC_KEY_generate_key(",
                     "RSA_private_encrypt(", "EVP_PKEY_sign("):
            self.assert_refused("nothing in engine/ signs", engine__crypto__sign_dot_cc=f"int x = {call}0);\n")

    def test_looks_through_comments_and_literals(self):
        self.assertEqual(
            violations(engine__jose__talk_dot_cc=
                       '// #include "json/reader.cc"\n/* std::thread\n#include <curl/curl.h>\n*/\n'
                       'const char* a = "std::thread \\" RSA_sign(";\nconst char* b = R"x(ECDSA_sign)x";\n'), [])


if __name__ == "__main__":
    unittest.main()
