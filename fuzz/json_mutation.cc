#include "fuzz/json_mutation.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/fuzz.h"
#include "fuzz/world.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;

constexpr std::string_view kNames[] = {
    // Claims.
    "iss", "aud", "sub", "client_id", "azp", "appid", "cid", "exp", "nbf", "iat", "jti", "scope", "scp",
    "scopes", "permissions", "roles", "groups", "realm_access", "resource_access", "cnf", "token_use",
    "at_hash", "c_hash", "ver", "cognito:groups", "typ", "tid",
    // Header.
    "alg", "kid", "cty", "crit", "enc", "zip", "b64", "jwk", "jku", "x5u", "x5c", "x5t",
    // Keys.
    "keys", "kty", "crv", "use", "key_ops", "n", "e", "x", "y", "d", "p", "q", "k", "oth",
    // Odd ones.
    "", "/", "~", "a/b"};

constexpr std::string_view kStrings[] = {
    // Who, where, what for.
    kIssuer, kSecondIssuer, kResource, kOtherResource, "alice", "agent-1", "files:read",
    "files:read files:write", "files:write", " files:read", "files:read  files:write", "x", "", " ",

    // Types.
    "at+jwt", "AT+JWT", "application/at+jwt", "JWT", "jwt", "application/application/at+jwt", "Bearer", "1.0",
    "2.0", "ID", "Refresh", "Offline", "logout", "access", "id",

    // Algorithms, kids, what JWKs say.
    "EdDSA", "Ed25519", "ES256", "ES384", "RS256", "PS256", "HS256", "none", "nOnE", "ed", "ec", "rsa", "sig",
    "enc", "verify", "sign", "RSA", "EC", "OKP", "oct", "P-256", "P-384", "P-521", "secp256k1", "Ed448",
    "AQAB", "Aw", "AA", "AAEAAQ", "exp", "\xC3\xA9", "\xF0\x9F\x98\x80", "\"", "\\", "\x01",
    "https://idp.example/", "https://mcp.example/mcp/"};

json Number(Random& random) {
  static constexpr int64_t kAround[] = {
      kNow, kNow + 60, kNow - 60,       kNow - 86'400, kNow + 86'400, kNow - 86'460,
      0,    -1,        253'402'300'799, INT64_MAX,     INT64_MIN,     int64_t{1} << 53};
  const int64_t around = kAround[random.Below(std::size(kAround))];
  const auto step = static_cast<int64_t>(random.Below(5)) - 2;
  switch (random.Below(5)) {
    case 0:
      return static_cast<double>(around) + static_cast<double>(step) / 4;
    case 1:
      return random.OneIn(2) ? 1e300 : -0.0;
    case 2:
      return UINT64_MAX - random.Below(2);
    default:
      return around > INT64_MAX - 2 || around < INT64_MIN + 2 ? around : around + step;
  }
}

json Value(Random& random) {
  switch (random.Below(8)) {
    case 0:
      return random.OneIn(2) ? json() : json(random.OneIn(2));
    case 1:
      return json::array();
    case 2:
      return json::object();
    case 3:
    case 4:
      return Number(random);
    default:
      return kStrings[random.Below(std::size(kStrings))];
  }
}

void Collect(json* value, std::vector<json*>* all) {
  all->push_back(value);
  if (!value->is_structured()) return;
  for (json& child : *value) Collect(&child, all);
}

void Add(json* to, json value, Random& random) {
  if (to->is_object()) {
    (*to)[std::string(kNames[random.Below(std::size(kNames))])] = std::move(value);
  } else if (to->is_array()) {
    to->insert(to->begin() + static_cast<std::ptrdiff_t>(random.Below(to->size() + 1)), std::move(value));
  } else {
    *to = json::array({*to, std::move(value)});
  }
}

void EraseChild(json* from, Random& random) {
  if (!from->is_structured() || from->empty()) return;
  from->erase(std::next(from->begin(), static_cast<std::ptrdiff_t>(random.Below(from->size()))));
}

// A little different from what it was, of the same type.
void Nudge(json* value, Random& random) {
  if (value->is_string()) {
    std::string text = value->get<std::string>();
    const size_t at = random.Below(text.size() + 1);
    switch (random.Below(5)) {
      case 0:
        text.insert(at, 1, random.OneIn(2) ? ' ' : static_cast<char>(random.Below(128)));
        break;
      case 1:
        text.erase(at, 1 + random.Below(3));
        break;
      case 2:
        text += ' ' + std::string(kStrings[random.Below(std::size(kStrings))]);
        break;
      case 3:
        if (text.size() < 1024) text += text;
        break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ 0x20);
    }
    *value = text;
  } else if (value->is_number_integer()) {
    const int64_t number = value->get<int64_t>();
    const int64_t step = static_cast<int64_t>(random.Below(5)) - 2;
    int64_t sum;
    if (!__builtin_add_overflow(number, step, &sum)) *value = sum;
  } else if (value->is_number_float()) {
    *value = std::floor(value->get<double>()) + static_cast<double>(random.Below(4)) / 4;
  } else {
    *value = Value(random);
  }
}

}  // namespace

void MutateJson(json* root, Random& random) {
  std::vector<json*> all;
  Collect(root, &all);
  json& at = *all[random.Below(all.size())];
  json other = *all[random.Below(all.size())];
  switch (random.Below(9)) {
    case 0:
      at = Value(random);
      break;
    case 1:
      Add(&at, Value(random), random);
      break;
    case 2:
      Add(root, Value(random), random);
      break;
    case 3:
      Add(&at, std::move(other), random);
      break;
    case 4:
      EraseChild(&at, random);
      break;
    case 5:
      at = std::move(other);
      break;
    case 6:
      at = json::array({at});
      break;
    default:
      Nudge(&at, random);
  }
}

size_t MutateJsonInput(size_t prefix, uint8_t* data, size_t size, size_t max_size, uint64_t seed) {
  Random random(seed);
  if (size <= prefix || random.OneIn(4)) return LLVMFuzzerMutate(data, size, max_size);
  json value = json::parse(data + prefix, data + size, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return LLVMFuzzerMutate(data, size, max_size);
  for (size_t rounds = 1 + random.Below(3); rounds > 0; --rounds) MutateJson(&value, random);
  const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (prefix + text.size() > max_size) return size;
  std::copy(text.begin(), text.end(), data + prefix);
  if (prefix > 0 && random.OneIn(4))
    data[random.Below(prefix)] = static_cast<uint8_t>('0' + random.Below(10));
  return prefix + text.size();
}

}  // namespace tollgate::fuzz
