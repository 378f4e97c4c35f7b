#include "tollgate/principal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace tollgate {
namespace {

using Fields = std::array<std::string_view, Principal::kFieldCount>;

TEST(PrincipalTest, IsEmptyAtFirst) {
  const Principal principal;
  EXPECT_EQ(principal.issuer(), "");
  EXPECT_EQ(principal.roles(), "");
}

TEST(PrincipalTest, HoldsEachFieldApart) {
  Principal principal;
  principal.Assign(Fields{"iss", "sub", "", "jti", "a b", "r", ""}, PrincipalKind::kService);
  EXPECT_EQ(principal.issuer(), "iss");
  EXPECT_EQ(principal.subject(), "sub");
  EXPECT_EQ(principal.client_id(), "");
  EXPECT_EQ(principal.jwt_id(), "jti");
  EXPECT_EQ(principal.scope(), "a b");
  EXPECT_EQ(principal.roles(), "r");
  EXPECT_EQ(principal.actors(), "");
  EXPECT_EQ(principal.kind(), PrincipalKind::kService);
  principal.Clear();
  EXPECT_EQ(principal.kind(), PrincipalKind::kUser);
  EXPECT_EQ(principal.subject(), "");
}

TEST(PrincipalTest, TakesFieldsThatLieAnywhereInItsStorage) {
  Principal principal;
  principal.Assign(Fields{"", std::string(2 * Principal::kInlineBytes, 's'), "", "", "", "", ""},
                   PrincipalKind::kUser);
  const std::string_view text = "..roles..issuer";
  std::copy(text.begin(), text.end(), principal.Inline());
  for (size_t i = 0; i < Principal::kFieldCount; ++i)
    principal.Set(static_cast<Principal::FieldIndex>(i), 0, 0);
  principal.Set(Principal::kRoles, 2, 5);
  principal.Set(Principal::kIssuer, 9, 6);
  EXPECT_EQ(principal.roles(), "roles");
  EXPECT_EQ(principal.issuer(), "issuer");
  EXPECT_EQ(principal.subject(), "") << "nothing is left of what it held before";
  const Principal copy = principal;
  principal.Clear();
  EXPECT_EQ(copy.issuer(), "issuer");
}

TEST(PrincipalTest, NeverTruncates) {
  for (size_t size :
       {Principal::kInlineBytes - 1, Principal::kInlineBytes, Principal::kInlineBytes + 1, size_t{50'000}}) {
    const std::string subject(size, 's');
    Principal principal;
    principal.Assign(Fields{"", subject, "", "", "", "", ""}, PrincipalKind::kUser);
    EXPECT_EQ(principal.subject(), subject);
    Principal copy = principal;
    principal.Assign(Fields{"i", "short", "c", "", "", "", ""}, PrincipalKind::kUser);
    EXPECT_EQ(principal.subject(), "short") << "back from the heap";
    EXPECT_EQ(copy.subject(), subject);
  }
}

}  // namespace
}  // namespace tollgate
