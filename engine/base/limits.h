#pragma once

#include <cstddef>
#include <cstdint>

// Every bound of the engine on what it accepts from outside, with the reason for its size. Bounds of time are
// in tollgate::Timing, since they are configured.
namespace tollgate::limits {

// A compact token. Web servers in front accept header lines of 8 KiB (nginx, Apache) to 60 KiB (Envoy);
// access tokens with hundreds of group names reach about 10 KiB. Every per-thread buffer has this size.
inline constexpr size_t kTokenBytesMax = 16 * 1024;
// The decoded JOSE header: kid, typ, alg and at times an x5c chain, which is ignored.
inline constexpr size_t kHeaderBytesMax = 8 * 1024;
// Nesting of JSON, the outermost object being 1. Real claims reach 4 (Keycloak's resource_access.X.roles),
// RFC 9396 authorization_details 5 or 6.
inline constexpr size_t kJsonDepthMax = 32;
// The JWK Set document: Entra's, with certificate chains, is about 25 KiB.
inline constexpr size_t kJwksBytesMax = 1 << 20;
// The same as a JWS, in base64url, which adds a third.
inline constexpr size_t kSignedJwksBytesMax = 3 << 19;
// Places of one issuer's keys behind the first: with all of them down, each has a fifth of a fetch's time.
inline constexpr size_t kFallbacksMax = 4;
// Keys that have ended, remembered for one issuer with several places: a set that is replaced as a whole, or
// eight months of a new key a day. Beyond, only the first place is trusted.
inline constexpr size_t kEndedKeysMax = 256;
// An issuer's metadata: some dozens of members, of which two are read.
inline constexpr size_t kMetadataBytesMax = 64 * 1024;
// An introspection response: as much as the claims of a token, and some more names. A signed one is bounded
// like a token.
inline constexpr size_t kIntrospectionBytesMax = 32 * 1024;
// Half of it has to hold the longest answer.
inline constexpr size_t kIntrospectionCacheBytesMin = 128 * 1024;
inline constexpr uint32_t kIntrospectionsInFlightMax = 1024;
inline constexpr uint32_t kIntrospectionsWaitingMax = 65'536;
// The snapshot of all issuers' key sets on disk, and the texts kept for it: the usual sets, of 2 to 16 KiB,
// of thousands of issuers. What does not fit is left out.
inline constexpr size_t kSnapshotBytesMax = size_t{64} << 20;
// Keys in one set; more are counted as skipped.
inline constexpr size_t kKeysPerSetMax = 256;
inline constexpr size_t kKeyIdBytesMax = 512;
inline constexpr size_t kIssuerBytesMax = 2048;
inline constexpr size_t kToolBytesMax = 256;
inline constexpr size_t kResourceUriBytesMax = 2048;
inline constexpr size_t kClaimNameBytesMax = 256;
// Claims that policies look at, in one engine. A token's are kept with what else is known of it.
inline constexpr size_t kPolicyClaimsMax = 32;
// Who acts for whom: `act` within `act` (RFC 8693 section 4.1). Longer chains are refused.
inline constexpr size_t kActorsMax = 8;
inline constexpr size_t kAmrMax = 32;  // Members of `amr`.
// RSA moduli: RFC 7518 section 3.3 demands 2048 bits; a verification with 4096 bits costs 47 µs, and grows
// with the square of the size, on the attacker's word.
inline constexpr int kRsaModulusBitsMin = 2048;
inline constexpr int kRsaModulusBitsMax = 4096;
// Public exponents: odd, 3 … 2^32 − 1 (BoringSSL itself refuses more than 33 bits).
inline constexpr int kRsaExponentBitsMax = 32;
// `aud` members, scopes and roles of one token.
inline constexpr size_t kAudiencesMax = 64;
inline constexpr size_t kScopesPerTokenMax = 512;
inline constexpr size_t kRolesPerTokenMax = 1024;
// NumericDate: seconds up to the year 9999; beyond, sums with leeways could be argued about.
inline constexpr int64_t kNumericDateMax = 253'402'300'799;

inline constexpr size_t kResourcesMax = 64;  // One bit each in a token's audience.
// Issuers at a time. For each there are up to a few KiB, and eight keys on average.
inline constexpr size_t kIssuersMax = 131'072;
// Different answers of a policy to what tokens carry, 12 bits in a cached record; beyond, tokens are not
// cached.
inline constexpr size_t kGrantSetsMax = 4096;
inline constexpr size_t kRevocationsMax = 65'536;
// A cached record has 32 bits for the name of a key. 20 of them count keys at a time, over all issuers,
inline constexpr size_t kKeySlotsMax = 1 << 20;
// and 12 the generations of a slot, of which every second one is a key's: 2 047 keys, one after the other. In
// all that is 2^31 keys in the life of a process, one a second for 68 years.
inline constexpr uint32_t kKeyGenerationMax = 4094;
inline constexpr size_t kWaitersMax = 65'536;
// Settings beyond these bound nothing: nobody has as many threads, or processors for one issuer.
inline constexpr uint32_t kVerificationsInFlightMax = 65'536;
inline constexpr uint32_t kInVainPercentMax = 10'000;

// A policy file: 16 384 rules of 250 bytes.
inline constexpr size_t kPolicyFileBytesMax = 4 << 20;
// Its nesting; the format itself needs 7.
inline constexpr size_t kPolicyFileDepthMax = 16;
// Its values and names, at about 100 bytes: 30 for each of 16 384 rules.
inline constexpr size_t kPolicyFileNodesMax = 500'000;
// Its [ { and , of which each may cost yaml-cpp 250 bytes for a time: 16 for each of 16 384 rules.
inline constexpr size_t kPolicyFileFlowMarksMax = 262'144;

}  // namespace tollgate::limits
