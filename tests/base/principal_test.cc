#include "tollgate/principal.h"

#include <gtest/gtest.h>

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
  principal.Assign(Fields{"iss", "sub", "", "jti", "a b", "r"});
  EXPECT_EQ(principal.issuer(), "iss");
  EXPECT_EQ(principal.subject(), "sub");
  EXPECT_EQ(principal.client_id(), "");
  EXPECT_EQ(principal.jwt_id(), "jti");
  EXPECT_EQ(principal.scope(), "a b");
  EXPECT_EQ(principal.roles(), "r");
  principal.Clear();
  EXPECT_EQ(principal.subject(), "");
}

TEST(PrincipalTest, NeverTruncates) {
  for (size_t size :
       {Principal::kInlineBytes - 1, Principal::kInlineBytes, Principal::kInlineBytes + 1, size_t{50'000}}) {
    const std::string subject(size, 's');
    Principal principal;
    principal.Assign(Fields{"", subject, "", "", "", ""});
    EXPECT_EQ(principal.subject(), subject);
    Principal copy = principal;
    principal.Assign(Fields{"i", "short", "c", "", "", ""});
    EXPECT_EQ(principal.subject(), "short") << "back from the heap";
    EXPECT_EQ(copy.subject(), subject);
  }
}

}  // namespace
}  // namespace tollgate
