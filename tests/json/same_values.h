#pragma once

#include "json/document.h"

namespace tollgate::test {

// SameValues says whether two documents have the same values, seen through every accessor, in the same order.
inline bool SameValues(json::Value a, json::Value b) {
  if (a.present() != b.present()) return false;
  if (!a.present()) return true;
  if (a.type() != b.type() || a.name() != b.name() || a.string() != b.string() || a.int64() != b.int64() ||
      a.boolean() != b.boolean() || a.number() != b.number()) {
    return false;
  }
  json::Value in_a = a.FirstChild(), in_b = b.FirstChild();
  for (; in_a.present() && in_b.present(); in_a = a.NextChild(in_a), in_b = b.NextChild(in_b)) {
    if (!SameValues(in_a, in_b)) return false;
    // By its name, each finds the member itself, and no other's.
    if (a.is_object() && !(a.Member(in_b.name()).present() && b.Member(in_a.name()).present() &&
                           a.Member(in_b.name()).name() == b.Member(in_a.name()).name())) {
      return false;
    }
  }
  return !in_a.present() && !in_b.present();
}

}  // namespace tollgate::test
