// tollgate-idp: the test identity provider as a program.

#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/idp/mint.h"
#include "tools/idp/server.h"

namespace {

using idp::SigningKey;

constexpr int kUnusable = 2;

int Fail(const std::string& message) {
  std::cerr << "tollgate-idp: " << message << "\n";
  return kUnusable;
}

struct KeyFile {
  std::string path;
  std::vector<std::string> algs = {"RS256", "PS256", "ES256", "ES384", "EdDSA"};
  int count = 1;
  int rsa_bits = 2048;
};

void AddKeyFileOptions(CLI::App* app, KeyFile* file) {
  app->add_option("--keys", file->path,
                  "private keys (JWK set); made with --alg and --key-count if it does not exist")
      ->required();
  app->add_option("--alg", file->algs, "algorithms of new keys")
      ->delimiter(',')
      ->check([](const std::string& alg) {
        return SigningKey::Supports(alg) ? std::string() : "no such algorithm: " + alg;
      })
      ->capture_default_str();
  app->add_option("--key-count", file->count, "new keys for each algorithm")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app->add_option("--rsa-bits", file->rsa_bits, "size of new RSA keys")
      ->check(CLI::Range(512, 16384))
      ->capture_default_str();
}

// LoadOrMake reads the key file, or makes it. Kids end in random text: keys of two files never share one.
std::optional<std::vector<SigningKey>> LoadOrMake(const KeyFile& file, std::string* error) {
  std::error_code ignored;
  if (std::filesystem::exists(file.path, ignored)) return idp::LoadKeys(file.path, error);
  std::vector<SigningKey> keys;
  for (int i = 0; i < file.count; ++i) {
    for (const std::string& alg : file.algs) {
      keys.push_back(
          SigningKey::Generate(alg, alg + "-" + idp::Base64Url(idp::RandomBytes(6)), file.rsa_bits));
    }
  }
  if (!idp::SaveKeys(file.path, keys, error)) return std::nullopt;
  return keys;
}

struct ServeOptions {
  KeyFile keys;
  uint16_t port = 0;
  int admin_port = -1;
  int64_t clock_ahead_s = 0;
  idp::EndpointOptions endpoints;
};

int Serve(const ServeOptions& options) {
  // Before any thread exists, so that all of them leave the signals to sigwait.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  std::string error;
  std::optional<std::vector<SigningKey>> keys = LoadOrMake(options.keys, &error);
  if (!keys) return Fail(error);
  if (keys->empty()) return Fail(options.keys.path + " holds no key");
  idp::ServerOptions server_options;
  server_options.port = options.port;
  server_options.endpoints = options.endpoints;
  server_options.endpoints.keys = *std::move(keys);
  server_options.endpoints.now_s = [ahead_s = options.clock_ahead_s] { return std::time(nullptr) + ahead_s; };
  server_options.endpoints.on_keys_changed = [path =
                                                  options.keys.path](const std::vector<SigningKey>& changed) {
    std::string save_error;
    if (!idp::SaveKeys(path, changed, &save_error)) std::cerr << "tollgate-idp: " << save_error << "\n";
  };
  if (options.admin_port >= 0) server_options.admin_port = static_cast<uint16_t>(options.admin_port);
  const std::unique_ptr<idp::Server> server = idp::Server::Start(std::move(server_options), &error);
  if (server == nullptr) return Fail(error);
  std::cout << "ready " << server->url();
  if (!server->admin_url().empty()) std::cout << " admin " << server->admin_url();
  std::cout << std::endl;
  int signal = 0;
  sigwait(&signals, &signal);
  return 0;
}

struct MintOptions {
  KeyFile keys;
  std::string issuer, audience, output;
  std::string subject = "agent", client = "client", scope = "tools:read tools:call";
  int64_t iat = static_cast<int64_t>(std::time(nullptr));
  int64_t ttl_s = 3600;
  size_t count = 1;
  size_t bytes = 0;
  size_t num_issuers = 1;
};

// KeysOfIssuer deals the keys out to the issuers, so that no two of them share one.
std::vector<SigningKey> KeysOfIssuer(const std::vector<SigningKey>& keys, size_t issuer, size_t num_issuers) {
  std::vector<SigningKey> own;
  for (size_t i = issuer; i < keys.size(); i += num_issuers) own.push_back(keys[i]);
  return own;
}

int Mint(const MintOptions& options, bool one_alg) {
  std::string error;
  std::optional<std::vector<SigningKey>> keys = LoadOrMake(options.keys, &error);
  if (!keys) return Fail(error);
  if (one_alg) {
    std::erase_if(*keys, [&options](const SigningKey& key) {
      return std::find(options.keys.algs.begin(), options.keys.algs.end(), key.alg()) ==
             options.keys.algs.end();
    });
  }
  if (keys->size() < options.num_issuers)
    return Fail("fewer fitting keys in " + options.keys.path + " than issuers");
  std::vector<std::vector<SigningKey>> keys_of;
  for (size_t i = 0; i < options.num_issuers; ++i)
    keys_of.push_back(KeysOfIssuer(*keys, i, options.num_issuers));

  std::ofstream file;
  if (!options.output.empty()) file.open(options.output);
  std::ostream& out = options.output.empty() ? std::cout : file;
  for (size_t i = 0; i < options.count && out; ++i) {
    const size_t issuer = i % options.num_issuers;
    const std::vector<SigningKey>& own = keys_of[issuer];
    const std::string suffix = options.num_issuers == 1 ? "" : "/" + std::to_string(issuer);
    const std::string subject =
        options.count == 1 ? options.subject : options.subject + "-" + std::to_string(i);
    const idp::json claims =
        idp::AccessTokenClaims(options.issuer + suffix, options.audience, subject, options.client,
                               options.scope, options.iat, options.iat + options.ttl_s);
    const SigningKey& key = own[i / options.num_issuers % own.size()];
    out << (options.bytes > 0 ? idp::MintToSize(key, claims, options.bytes) : idp::Mint(key, claims)) << "\n";
  }
  out.flush();
  return out ? 0 : Fail("cannot write " + (options.output.empty() ? "to stdout" : options.output));
}

struct KeysOptions {
  KeyFile keys;
  size_t issuer = 0;
  size_t num_issuers = 1;
};

int Keys(const KeysOptions& options) {
  std::string error;
  const std::optional<std::vector<SigningKey>> keys = LoadOrMake(options.keys, &error);
  if (!keys) return Fail(error);
  if (options.issuer >= options.num_issuers) return Fail("--issuer-index must be below --issuers");
  std::cout << idp::Jwks(KeysOfIssuer(*keys, options.issuer, options.num_issuers)).dump(2) << std::endl;
  return std::cout ? 0 : Fail("cannot write to stdout");
}

void AddServe(CLI::App* app, ServeOptions* options) {
  AddKeyFileOptions(app, &options->keys);
  app->add_option("--port", options->port, "port on 127.0.0.1, 0 for any free one")->capture_default_str();
  app->add_option("--admin-port", options->admin_port,
                  "second port for /admin and /stats, which stays up when down")
      ->check(CLI::Range(0, 65535));
  app->add_option("--audience", options->endpoints.audience, "aud of tokens whose request names no resource")
      ->capture_default_str();
  app->add_option("--ttl", options->endpoints.token_ttl_s, "lifetime of tokens in seconds")
      ->capture_default_str();
  app->add_option("--clock-ahead", options->clock_ahead_s,
                  "seconds by which its clock is ahead, in tokens and in Date; may be negative")
      ->capture_default_str();
  app->add_option("--bytes", options->endpoints.token_bytes, "pad tokens to this length");
  app->add_option("--cache-control", options->endpoints.cache_control, "Cache-Control of the key set")
      ->capture_default_str();
}

void AddMint(CLI::App* app, MintOptions* options) {
  AddKeyFileOptions(app, &options->keys);
  app->add_option("--issuer", options->issuer, "iss; /0, /1, … is added with --issuers")->required();
  app->add_option("--audience", options->audience, "aud")->required();
  app->add_option("--subject", options->subject, "sub; -0, -1, … is added with --count")
      ->capture_default_str();
  app->add_option("--client", options->client, "client_id")->capture_default_str();
  app->add_option("--scope", options->scope, "scope; empty: none")->capture_default_str();
  app->add_option("--iat", options->iat, "seconds since 1970; default: now");
  app->add_option("--ttl", options->ttl_s, "exp - iat in seconds; may be negative")->capture_default_str();
  app->add_option("--count", options->count, "tokens, one a line")->capture_default_str();
  app->add_option("--bytes", options->bytes, "pad each token to this length")->check(CLI::Range(0, 1 << 20));
  app->add_option("--issuers", options->num_issuers, "issuers in turn; each has its own share of the keys")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app->add_option("--output", options->output, "file; default: stdout");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Fault-injecting identity provider for tests and benchmarks. Not for production.",
               "tollgate-idp");
  app.require_subcommand(0, 1);  // Said in our own words below.
  ServeOptions serve;
  MintOptions mint;
  KeysOptions keys;
  CLI::App* serve_app = app.add_subcommand("serve", "answer on 127.0.0.1 until SIGINT or SIGTERM");
  CLI::App* mint_app =
      app.add_subcommand("mint", "write tokens, one a line; --alg also chooses among the keys");
  CLI::App* keys_app = app.add_subcommand("keys", "write the public JWK set");
  AddServe(serve_app, &serve);
  AddMint(mint_app, &mint);
  AddKeyFileOptions(keys_app, &keys.keys);
  keys_app->add_option("--issuers", keys.num_issuers, "deal the keys out as mint --issuers does")
      ->check(CLI::Range(1, 100'000));
  keys_app->add_option("--issuer-index", keys.issuer, "and write this issuer's share");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code() == 0 ? app.exit(error) : Fail(error.what());
  }
  if (serve_app->parsed()) return Serve(serve);
  if (mint_app->parsed()) return Mint(mint, mint_app->count("--alg") > 0);
  if (keys_app->parsed()) return Keys(keys);
  return Fail("no command: serve, mint or keys; --help says more");
}
