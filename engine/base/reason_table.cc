#include <algorithm>
#include <iterator>

#include "tollgate/reason.h"

namespace tollgate {
namespace {

struct Row {
  Reason reason;
  Category category;
  std::string_view name;
  std::string_view text;
};

using enum Category;

// Sorted by number. The texts may be sent to clients as error_description: they say nothing that a client
// could not know, and hold no text that a careless client would take for a parameter.
constexpr Row kRows[] = {
    {Reason::kNone, kAllowed, "none", "allowed"},
    {Reason::kUndecided, kReauthenticate, "undecided", "the request was not decided"},

    {Reason::kBodyTooLong, kFixRequest, "body_too_long", "the request body is longer than the limit"},
    {Reason::kBodyNotJson, kFixRequest, "body_not_json", "the request body is not JSON within the limits"},
    {Reason::kNotJsonRpc, kFixRequest, "not_json_rpc", "the request body is no JSON-RPC message of MCP"},
    {Reason::kAmbiguousMember, kFixRequest, "ambiguous_member",
     "a member of the message is there twice or differs from another in case alone"},
    {Reason::kBatchNotAllowed, kFixRequest, "batch_not_allowed", "the protocol version knows no batches"},
    {Reason::kInvalidParams, kFixRequest, "invalid_params",
     "the params do not name what the method is about"},
    {Reason::kHeaderMismatch, kFixRequest, "header_mismatch",
     "an MCP header field is missing or malformed or disagrees with the body"},
    {Reason::kProtocolVersionUnsupported, kFixRequest, "protocol_version_unsupported",
     "the MCP protocol version is not supported"},
    {Reason::kTooManyCalls, kFixRequest, "too_many_calls", "the request asks for too much at a time"},
    {Reason::kBodyEncodingUnsupported, kFixRequest, "body_encoding_unsupported",
     "the request body is not declared as plain application/json in UTF-8"},

    {Reason::kNoCredential, kAuthenticate, "no_credential", "the request has no credential"},
    {Reason::kUnsupportedScheme, kAuthenticate, "unsupported_scheme",
     "the Authorization scheme is not Bearer"},
    {Reason::kMalformedAuthorization, kFixRequest, "malformed_authorization",
     "the Authorization field is not Bearer followed by one space and one token"},
    {Reason::kSeveralCredentials, kFixRequest, "several_credentials",
     "the request has more than one credential"},

    {Reason::kTokenTooLong, kReauthenticate, "token_too_long", "the token is longer than the limit"},
    {Reason::kNotCompactJws, kReauthenticate, "not_compact_jws", "the token is not a JWS of three parts"},
    {Reason::kBadBase64Url, kReauthenticate, "bad_base64url", "a part of the token is not strict base64url"},
    {Reason::kBadJson, kReauthenticate, "bad_json", "a part of the token is not JSON"},
    {Reason::kBadUtf8, kReauthenticate, "bad_utf8", "a part of the token is not UTF-8"},
    {Reason::kDuplicateMember, kReauthenticate, "duplicate_member",
     "a JSON object of the token repeats a member"},
    {Reason::kTooDeep, kReauthenticate, "too_deep", "the JSON of the token is nested too deep"},
    {Reason::kNotAnObject, kReauthenticate, "not_an_object", "a part of the token is no JSON object"},
    {Reason::kEncryptedToken, kReauthenticate, "encrypted_token", "the token is encrypted"},

    {Reason::kBadHeaderMember, kReauthenticate, "bad_header_member",
     "a header member has a wrong type or length"},
    {Reason::kAlgorithmMissing, kReauthenticate, "algorithm_missing", "the header names no algorithm"},
    {Reason::kAlgorithmNone, kReauthenticate, "algorithm_none", "the token is not signed"},
    {Reason::kAlgorithmSymmetric, kReauthenticate, "algorithm_symmetric", "the algorithm is symmetric"},
    {Reason::kAlgorithmUnsupported, kReauthenticate, "algorithm_unsupported",
     "the algorithm is not supported"},
    {Reason::kUnknownCritical, kReauthenticate, "unknown_critical", "the header has a critical extension"},
    {Reason::kWrongType, kReauthenticate, "wrong_type", "the token is of another type than an access token"},

    {Reason::kIssuerMissing, kReauthenticate, "issuer_missing", "the token names no issuer"},
    {Reason::kIssuerUnknown, kReauthenticate, "issuer_unknown", "the issuer is not configured"},
    {Reason::kIssuerNotAllowedHere, kReauthenticate, "issuer_not_allowed_here",
     "the resource does not accept tokens of this issuer"},
    {Reason::kAlgorithmNotAllowed, kReauthenticate, "algorithm_not_allowed",
     "the algorithm is not allowed for the issuer"},
    {Reason::kKeyUnknown, kReauthenticate, "unknown_key", "the issuer has no such key"},
    {Reason::kKeyAmbiguous, kReauthenticate, "key_ambiguous", "the header does not single out a key"},
    {Reason::kKeyAlgorithmMismatch, kReauthenticate, "key_algorithm_mismatch",
     "the key does not permit the algorithm"},
    {Reason::kBadSignatureLength, kReauthenticate, "bad_signature_length",
     "the signature has a wrong length"},
    {Reason::kBadSignature, kReauthenticate, "bad_signature", "the signature is wrong"},

    {Reason::kBadClaim, kReauthenticate, "bad_claim", "a claim has a wrong type or range or length"},
    {Reason::kExpiryMissing, kReauthenticate, "expiry_missing", "the token has no expiry"},
    {Reason::kIssuedAtMissing, kReauthenticate, "issued_at_missing", "the token has no time of issue"},
    {Reason::kSubjectMissing, kReauthenticate, "subject_missing", "the token has no subject"},
    {Reason::kClientMissing, kReauthenticate, "client_missing", "the token has no client"},
    {Reason::kJwtIdMissing, kReauthenticate, "jwt_id_missing", "the token has no identifier"},
    {Reason::kAudienceMissing, kReauthenticate, "audience_missing", "the token has no audience"},
    {Reason::kNotAnAccessToken, kReauthenticate, "not_an_access_token", "the token is no access token"},
    {Reason::kExpired, kReauthenticate, "expired", "the token has expired"},
    {Reason::kNotYetValid, kReauthenticate, "not_yet_valid", "the token is not yet valid"},
    {Reason::kTooOld, kReauthenticate, "too_old", "the token was issued too long ago"},
    {Reason::kLifetimeTooLong, kReauthenticate, "lifetime_too_long", "the token lives longer than allowed"},
    {Reason::kAudienceMismatch, kReauthenticate, "audience_mismatch", "the token is for another resource"},
    {Reason::kSenderConstrained, kReauthenticate, "sender_constrained",
     "the token is bound to a key that the request did not prove"},
    {Reason::kTenantMismatch, kReauthenticate, "tenant_mismatch",
     "the tenant of the token is not that of its issuer"},

    {Reason::kKeyRevoked, kReauthenticate, "key_revoked", "the key has been revoked"},
    {Reason::kSubjectRevoked, kReauthenticate, "subject_revoked",
     "the tokens of the subject have been revoked"},
    {Reason::kTokenRevoked, kReauthenticate, "token_revoked", "the token has been revoked"},

    {Reason::kUnknownTool, kForbidden, "unknown_tool", "the policy does not allow this operation to anybody"},
    {Reason::kInsufficientScope, kStepUp, "insufficient_scope", "the token lacks a scope that is needed"},
    {Reason::kPrincipalKindNotAllowed, kForbidden, "principal_kind_not_allowed",
     "callers of this kind may not use the tool"},
    {Reason::kCredentialKindNotAllowed, kForbidden, "credential_kind_not_allowed",
     "the tool may not be used with a credential of this kind"},
    {Reason::kSenderConstraintNeeded, kForbidden, "sender_constraint_needed",
     "the tool needs a token that is bound to a key"},
    {Reason::kLifetimeTooLongHere, kForbidden, "lifetime_too_long_here",
     "the token lives longer than the tool allows"},
    {Reason::kRoleMissing, kForbidden, "role_missing", "the caller lacks a role"},
    {Reason::kClaimNotAsNeeded, kForbidden, "claim_not_as_needed", "a claim is not as the tool needs it"},
    {Reason::kAuthenticationInsufficient, kAuthenticateStronger, "authentication_insufficient",
     "the tool needs a stronger authentication"},

    {Reason::kTokenInactive, kReauthenticate, "token_inactive",
     "the issuer says that the token is not active"},

    {Reason::kKeysNeverFetched, kRetryLater, "keys_never_fetched",
     "the keys of the issuer are not known yet"},
    {Reason::kKeysTooStale, kRetryLater, "keys_too_stale", "the keys of the issuer are too old to rely upon"},
    {Reason::kKeyPending, kRetryLater, "key_pending", "the issuer has yet to be asked for this key"},
    {Reason::kIntrospectionUnavailable, kRetryLater, "introspection_unavailable",
     "the issuer cannot be asked"},
    {Reason::kOverloaded, kRetryLater, "overloaded", "there is too much to do or too little memory"},
    {Reason::kIntrospectionPending, kRetryLater, "introspection_pending",
     "the issuer is being asked about the token"},
    {Reason::kNotRecorded, kRetryLater, "not_recorded", "the decision could not be recorded"},

    {Reason::kUnknownResource, kForbidden, "unknown_resource", "the resource is not configured"},
};

constexpr bool IsSorted() {
  return std::is_sorted(std::begin(kRows), std::end(kRows),
                        [](const Row& a, const Row& b) { return a.reason < b.reason; });
}
static_assert(IsSorted());

const Row* Find(Reason reason) {
  const Row* row = std::lower_bound(std::begin(kRows), std::end(kRows), reason,
                                    [](const Row& r, Reason wanted) { return r.reason < wanted; });
  return row != std::end(kRows) && row->reason == reason ? row : nullptr;
}

}  // namespace

std::string_view ReasonName(Reason reason) {
  const Row* row = Find(reason);
  return row == nullptr ? "unknown_reason" : row->name;
}

std::string_view ReasonText(Reason reason) {
  const Row* row = Find(reason);
  return row == nullptr ? "the request was refused" : row->text;
}

Category CategoryOf(Reason reason) {
  if (reason == Reason::kNone) return Category::kAllowed;  // Most often asked, and not worth a search.
  const Row* row = Find(reason);
  return row == nullptr ? Category::kReauthenticate : row->category;
}

int HttpStatus(Category category) {
  switch (category) {
    case Category::kAllowed:
      return 200;
    case Category::kFixRequest:
      return 400;
    case Category::kAuthenticate:
    case Category::kReauthenticate:
    case Category::kAuthenticateStronger:
      return 401;
    case Category::kStepUp:
    case Category::kForbidden:
      return 403;
    case Category::kRetryLater:
      return 503;
  }
  return 401;
}

std::string_view BearerError(Category category) {
  switch (category) {
    case Category::kFixRequest:
      return "invalid_request";
    case Category::kReauthenticate:
      return "invalid_token";
    case Category::kAuthenticateStronger:
      return "insufficient_user_authentication";
    case Category::kStepUp:
      return "insufficient_scope";
    case Category::kAllowed:
    case Category::kAuthenticate:
    case Category::kForbidden:
    case Category::kRetryLater:
      return "";
  }
  return "";
}

}  // namespace tollgate
