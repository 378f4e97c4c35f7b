#include "crypto/ed25519_point.h"

#include <algorithm>

#include <openssl/bn.h>
#include <openssl/err.h>

namespace tollgate::crypto {
namespace {

// Field is arithmetic modulo p = 2^255 − 19. A failed allocation makes every later result null, and null is
// no number.
class Field {
 public:
  using Element = bssl::UniquePtr<BIGNUM>;

  Field() : context_(BN_CTX_new()), p_(Small(1)) {
    if (ok()) Note(BN_lshift(p_.get(), p_.get(), 255) && BN_sub_word(p_.get(), 19));
  }

  bool ok() const { return ok_; }
  const BIGNUM* p() const { return p_.get(); }
  bool IsReduced(const Element& a) const { return BN_cmp(a.get(), p_.get()) < 0; }

  Element Small(BN_ULONG value) {
    Element a(BN_new());
    Note(a != nullptr && BN_set_word(a.get(), value));
    return a;
  }
  Element Add(const Element& a, const Element& b) {
    return Make([&](BIGNUM* r) { return BN_mod_add(r, a.get(), b.get(), p_.get(), context_.get()); });
  }
  Element Sub(const Element& a, const Element& b) {
    return Make([&](BIGNUM* r) { return BN_mod_sub(r, a.get(), b.get(), p_.get(), context_.get()); });
  }
  Element Mul(const Element& a, const Element& b) {
    return Make([&](BIGNUM* r) { return BN_mod_mul(r, a.get(), b.get(), p_.get(), context_.get()); });
  }
  Element Div(const Element& a, const Element& b) {
    const Element inverse =
        Make([&](BIGNUM* r) { return BN_mod_inverse(r, b.get(), p_.get(), context_.get()) != nullptr; });
    return Mul(a, inverse);
  }
  // Euler's criterion; zero counts as a square.
  bool IsSquare(const Element& a) {
    Element half(BN_new());
    Note(half != nullptr && BN_rshift1(half.get(), p_.get()));
    const Element power =
        Make([&](BIGNUM* r) { return BN_mod_exp(r, a.get(), half.get(), p_.get(), context_.get()); });
    return ok_ && (BN_is_zero(power.get()) || BN_is_one(power.get()));
  }

 private:
  void Note(bool success) { ok_ = ok_ && success; }
  template <typename Operation>
  Element Make(Operation operation) {
    Element r(BN_new());
    Note(ok_ && r != nullptr && operation(r.get()));
    return r;
  }

  bool ok_ = true;
  bssl::UniquePtr<BN_CTX> context_;
  Element p_;
};

}  // namespace

Ed25519Point CheckEd25519Point(const std::array<uint8_t, 32>& encoded) {
  std::array<uint8_t, 32> big_endian;
  std::reverse_copy(encoded.begin(), encoded.end(), big_endian.begin());
  const bool x_is_odd = (big_endian[0] & 0x80) != 0;
  big_endian[0] &= 0x7f;

  Field field;
  const Field::Element y(BN_bin2bn(big_endian.data(), big_endian.size(), nullptr));
  if (!field.ok() || y == nullptr) return Ed25519Point::kNotOnCurve;
  if (!field.IsReduced(y)) return Ed25519Point::kNotCanonical;

  // The curve is −x² + y² = 1 + d x² y² with d = −121665 / 121666, so x² = (y² − 1) / (d y² + 1).
  const Field::Element one = field.Small(1);
  const Field::Element d = field.Div(field.Sub(field.Small(0), field.Small(121665)), field.Small(121666));
  const Field::Element yy = field.Mul(y, y);
  const Field::Element dyy = field.Mul(d, yy);
  const Field::Element xx_above = field.Sub(yy, one);
  const Field::Element xx_below = field.Add(dyy, one);  // Never zero: −1/d is no square.
  if (!field.ok() || !field.IsSquare(field.Mul(xx_above, xx_below))) return Ed25519Point::kNotOnCurve;
  if (BN_is_zero(xx_above.get()) && x_is_odd) return Ed25519Point::kNotCanonical;  // There is no −0.

  // Orders 1 and 2: y = ±1. Order 4: y = 0. Order 8: doubling gives y = 0, that is x² = −y², or d y⁴ + 2 y²
  // = 1.
  const Field::Element order8 = field.Add(field.Mul(dyy, yy), field.Add(yy, yy));
  if (!field.ok()) return Ed25519Point::kNotOnCurve;
  if (BN_is_zero(xx_above.get()) || BN_is_zero(y.get()) || BN_is_one(order8.get()))
    return Ed25519Point::kSmallOrder;
  return Ed25519Point::kGood;
}

}  // namespace tollgate::crypto
