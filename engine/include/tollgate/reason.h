#pragma once

#include <cstdint>
#include <string_view>

#include "tollgate/export.h"

namespace tollgate {

// Reason says precisely why a request was refused or could not be answered. The numbers are stable: they
// appear in metrics, audit records and the C ABI; new reasons take new numbers. When several checks would
// fail, the reason is that of the first one in the order of the request's way through the engine, which is
// the order of this list.
enum class Reason : uint16_t {
  kNone = 0,       // Allowed.
  kUndecided = 1,  // The value of a Decision that nobody filled in; a denial.

  // The request to an MCP server, before anything is known of who makes it.
  kBodyTooLong = 50,
  kBodyNotJson = 51,      // Or nested too deep, or with a number beyond 64 bits.
  kNotJsonRpc = 52,       // No message of MCP: a member of JSON-RPC 2.0 is missing or of the wrong type.
  kAmbiguousMember = 53,  // Readers may differ about which member of a message counts.
  kBatchNotAllowed = 54,  // Several messages in one, which the revision 2025-03-26 alone knows.
  kInvalidParams = 55,    // It does not say to all alike which tool, prompt or resource it is about.
  kHeaderMismatch = 56,   // Header fields disagree with the body, or are missing or malformed.
  kProtocolVersionUnsupported = 57,
  kTooManyCalls = 58,             // It asks for more at a time than the limit.
  kBodyEncodingUnsupported = 59,  // Not application/json in UTF-8, or compressed. Looked at first of all.

  // The credential in the request (RFC 6750 section 2.1).
  kNoCredential = 100,            // No Authorization header value.
  kUnsupportedScheme = 101,       // An Authorization scheme other than Bearer.
  kMalformedAuthorization = 102,  // "Bearer" not followed by exactly one space and one token68.
  kSeveralCredentials = 103,      // More than one credential in one request.

  // The form of the token (RFC 7515, 7519).
  kTokenTooLong = 200,
  kNotCompactJws = 201,  // Not exactly three dot-separated parts, or an empty one.
  kBadBase64Url = 202,   // Padding, an alien character, or trailing bits that are not zero.
  kBadJson = 203,        // Not one JSON text of RFC 8259, or an integer beyond 64 bits.
  kBadUtf8 = 204,
  kDuplicateMember = 205,
  kTooDeep = 206,
  kNotAnObject = 207,
  kEncryptedToken = 208,  // A JWE; tollgate verifies signatures only.

  // The JOSE header (RFC 7515 section 4, RFC 8725).
  kBadHeaderMember = 220,  // A header member of the wrong type or length.
  kAlgorithmMissing = 221,
  kAlgorithmNone = 222,
  kAlgorithmSymmetric = 223,  // HS*: a fetched key is public, hence never a secret.
  kAlgorithmUnsupported = 224,
  kUnknownCritical = 225,  // `crit` is present: no extension is understood (RFC 7515 section 4.1.11).
  kWrongType = 226,        // `typ` is not one that this issuer's profile uses for access tokens.

  // The issuer and its key.
  kIssuerMissing = 300,
  kIssuerUnknown = 301,
  kIssuerNotAllowedHere = 302,  // A configured issuer, but not one of this resource.
  kAlgorithmNotAllowed = 303,   // Not in this issuer's allow-list.
  kKeyUnknown = 304,    // The issuer answered, after this key was first asked for, that it has no such key.
  kKeyAmbiguous = 305,  // No `kid`, or one that occurs twice, and the algorithm does not single one out.
  kKeyAlgorithmMismatch = 306,  // The key's own alg, kty, crv, use or key_ops do not permit the header's alg.
  kBadSignatureLength = 307,
  kBadSignature = 308,

  // The claims (RFC 7519 section 4.1, RFC 9068 section 2.2).
  kBadClaim = 400,        // A claim of the wrong type, range or length.
  kTenantMismatch = 414,  // `tid` is not the tenant that `iss` names (IssuerConfig::tenants), or absent.
  kExpiryMissing = 401,
  kIssuedAtMissing = 402,
  kSubjectMissing = 403,
  kClientMissing = 404,
  kJwtIdMissing = 405,
  kAudienceMissing = 406,
  kNotAnAccessToken = 407,  // An ID or refresh token by the issuer's own marks.
  kExpired = 408,
  kNotYetValid = 409,        // Before nbf, or issued in the future.
  kTooOld = 410,             // Issued longer ago than the issuer's maximum token age.
  kLifetimeTooLong = 411,    // exp − iat beyond the issuer's maximum lifetime.
  kAudienceMismatch = 412,   // The token is for another resource.
  kSenderConstrained = 413,  // `cnf` binds the token to a key whose possession this request did not prove.

  // Revocation.
  kKeyRevoked = 500,
  kSubjectRevoked = 501,
  kTokenRevoked = 502,  // By jti.

  // The policy.
  kUnknownTool = 600,  // Or prompt, resource or method: no rule names it.
  kPrincipalKindNotAllowed = 602,
  kCredentialKindNotAllowed = 603,
  kSenderConstraintNeeded = 604,  // The token would have to be bound to a key.
  kLifetimeTooLongHere = 605,     // exp − iat beyond the maximum of the tool's class.
  kRoleMissing = 606,
  kClaimNotAsNeeded = 607,            // A predicate does not hold.
  kAuthenticationInsufficient = 608,  // `acr` or `amr` (RFC 9470): logging in otherwise would help.
  kInsufficientScope = 601,           // And nothing else is missing.

  // What the issuer says of the token, where it is asked (RFC 7662 section 2.2).
  kTokenInactive = 650,

  // Cannot know right now.
  kKeysNeverFetched = 700,  // The issuer's keys have not been had once since the start.
  kKeysTooStale = 701,      // The last good answer is older than the staleness bound.
  kKeyPending = 702,        // This kid is not in the set, and the issuer has not yet been asked since.
  kIntrospectionUnavailable = 703,  // The issuer cannot be asked whether the token is active.
  // Not verified, by VerificationLimits; or not asked about, by IntrospectionConfig; or there was no memory
  // for an MCP message.
  kOverloaded = 704,
  kIntrospectionPending = 705,  // The issuer is being asked whether the token is active.
  kNotRecorded = 706,           // All is well, but there is no room for the record that must be (AuditDuty).

  // The embedder's own mistakes; denials.
  kUnknownResource = 900,  // The request names a resource that the configuration does not have.
};

// Category is what the caller should do about a Reason.
enum class Category : uint8_t {
  kAllowed,
  kAuthenticate,          // No credential: 401 without `error`.
  kReauthenticate,        // 401 invalid_token.
  kAuthenticateStronger,  // 401 insufficient_user_authentication (RFC 9470 section 3).
  kStepUp,                // 403 insufficient_scope: granting the named scopes would make this call allowed.
  kForbidden,             // 403 without `error`: no token of this caller would do.
  kFixRequest,            // 400 invalid_request.
  kRetryLater,            // 503 with Retry-After.
};

// ReasonName returns the stable snake_case name of `reason`, such as "expired"; "unknown_reason" for a number
// that is not in the list. The storage is static. Does not allocate.
TOLLGATE_API std::string_view ReasonName(Reason reason);

// ReasonText returns one English sentence for people, without token content, ending without a period. Static
// storage.
TOLLGATE_API std::string_view ReasonText(Reason reason);

// CategoryOf returns what the caller should do; kReauthenticate for a number that is not in the list.
TOLLGATE_API Category CategoryOf(Reason reason);

// HttpStatus returns the status code for `category`: 200, 400, 401, 403 or 503.
TOLLGATE_API int HttpStatus(Category category);

// BearerError returns the `error` code of RFC 6750 section 3.1 for `category`, empty where none is to be
// sent.
TOLLGATE_API std::string_view BearerError(Category category);

}  // namespace tollgate
