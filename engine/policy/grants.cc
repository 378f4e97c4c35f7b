#include "policy/grants.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tollgate::policy {
namespace {

// No text that a claim is made of holds a control character: values of claims that do are left out by whoever
// reads them.
constexpr char kItem = '\x1e', kValue = '\x1f';

enum class Form : char { kNothing = 'o', kText = 's', kOther = 'n', kList = 'l', kEmptyList = 'e' };

Form FormOf(const Claim& claim) {
  if (claim.is_list) return claim.values.empty() ? Form::kEmptyList : Form::kList;
  if (claim.values.empty()) return Form::kNothing;
  return claim.is_text ? Form::kText : Form::kOther;
}

// AppendAll appends `count` words, each of them what `word` makes of its position.
template <typename Word>
void AppendAll(size_t count, char separator, std::string* text, Word word) {
  if (count == 0) return;
  size_t size = text->size() + count - 1;
  for (size_t i = 0; i < count; ++i) size += word(i).size();
  size_t at = text->size();
  text->resize(size, separator);
  for (size_t i = 0; i < count; ++i, ++at) {
    const std::string_view copied = word(i);
    if (!copied.empty()) std::memcpy(text->data() + at, copied.data(), copied.size());
    at += copied.size();
  }
}

void Append(std::span<const std::string_view> words, char separator, std::string* text) {
  AppendAll(words.size(), separator, text, [&](size_t i) { return words[i]; });
}

// Front is the first eight bytes of a word as a number: where it differs, words are in its order.
uint64_t Front(std::string_view word) {
  uint64_t front = 0;
  if (word.size() < sizeof front) {
    for (size_t i = 0; i < word.size(); ++i) front |= uint64_t{static_cast<uint8_t>(word[i])} << (56 - 8 * i);
    return front;
  }
  std::memcpy(&front, word.data(), sizeof front);
  return std::endian::native == std::endian::big ? front : __builtin_bswap64(front);
}

// Ordered is a word that is compared by its front first.
struct Ordered {
  uint64_t front;
  std::string_view word;

  explicit Ordered(std::string_view text) : front(Front(text)), word(text) {}
  bool operator==(const Ordered& other) const { return front == other.front && word == other.word; }
  bool operator<(const Ordered& other) const {
    return front != other.front ? front < other.front : word < other.word;
  }
};

void AppendSorted(std::span<const std::string_view> words, std::string* text) {
  if (words.size() < 2) return Append(words, ' ', text);
  thread_local std::vector<Ordered> sorted;
  sorted.clear();
  for (std::string_view word : words) sorted.emplace_back(word);
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  const std::vector<Ordered>& all = sorted;
  AppendAll(all.size(), ' ', text, [&all](size_t i) { return all[i].word; });
}

void AppendScopes(const Grants& grants, std::string* text) {
  ScopeText* const known = grants.scope_text;
  if (known == nullptr) return AppendSorted(grants.scopes, text);
  if (known->sorted.empty()) AppendSorted(grants.scopes, &known->sorted);
  *text += known->sorted;
}

// Next takes what is in front of the separator, or all.
std::string_view Next(char separator, std::string_view* text) {
  const size_t end = std::min(text->find(separator), text->size());
  const std::string_view next = text->substr(0, end);
  text->remove_prefix(std::min(text->size(), end + 1));
  return next;
}

void Split(std::string_view text, char separator, std::vector<std::string_view>* words) {
  words->clear();
  while (!text.empty()) words->push_back(Next(separator, &text));
}

}  // namespace

bool WriteGrants(const Grants& grants, std::string* text) {
  GrantsHead head{.kind = grants.kind};
  text->assign(sizeof head, '\0');
  const auto append = [text](uint16_t* bytes, auto write) {
    const size_t begin = text->size();
    write();
    *bytes = static_cast<uint16_t>(text->size() - begin);
    return text->size() - begin <= UINT16_MAX;
  };
  const bool fits = append(&head.scope_bytes, [&] { AppendScopes(grants, text); }) &&
                    append(&head.roles_bytes, [&] { AppendSorted(grants.roles, text); }) &&
                    append(&head.actors_bytes, [&] { Append(grants.actors, '\n', text); });
  std::memcpy(text->data(), &head, sizeof head);
  if (grants.acr.empty() && grants.amr.empty() && grants.claims.empty()) return fits;
  *text += grants.acr;
  *text += kItem;
  Append(grants.amr, kValue, text);
  for (const Claim& claim : grants.claims) {
    text->append({kItem, static_cast<char>(FormOf(claim))});
    *text += claim.name;
    for (std::string_view value : claim.values) *text += kValue, *text += value;
  }
  return fits;
}

ShownGrants ReadShown(std::string_view text) {
  if (text.empty()) return {};
  const GrantsHead head = ReadHead(text);
  const char* const scope = text.data() + sizeof head;
  const char* const roles = scope + head.scope_bytes;
  return {.kind = head.kind,
          .scope = {scope, head.scope_bytes},
          .roles = {roles, head.roles_bytes},
          .actors = {roles + head.roles_bytes, head.actors_bytes}};
}

const Grants& GrantsReader::Read(std::string_view text) {
  const GrantsHead head = ReadHead(text);
  text.remove_prefix(std::min(text.size(), sizeof head));
  const auto take = [&text](size_t bytes) {
    const std::string_view taken = text.substr(0, bytes);
    text.remove_prefix(taken.size());
    return taken;
  };
  Split(take(head.scope_bytes), ' ', &scopes_);
  Split(take(head.roles_bytes), ' ', &roles_);
  Split(take(head.actors_bytes), '\n', &actors_);
  const std::string_view acr = Next(kItem, &text);
  Split(Next(kItem, &text), kValue, &amr_);
  claims_.clear();
  values_.clear();
  // All values first: views of the vector would not survive its growth.
  begins_.clear();
  while (!text.empty()) {
    std::string_view item = Next(kItem, &text);
    const auto form = static_cast<Form>(item.front());
    item.remove_prefix(1);
    const bool has_values = item.find(kValue) != item.npos;
    claims_.push_back({.name = Next(kValue, &item),
                       .is_list = form == Form::kList || form == Form::kEmptyList,
                       .is_text = form == Form::kText});
    begins_.push_back(values_.size());
    if (!has_values) continue;
    // An empty value behind the last separator is one, too.
    for (bool more = true; more;) {
      more = item.find(kValue) != item.npos;
      values_.push_back(Next(kValue, &item));
    }
  }
  begins_.push_back(values_.size());
  for (size_t i = 0; i < claims_.size(); ++i) {
    claims_[i].values =
        std::span<const std::string_view>(values_).subspan(begins_[i], begins_[i + 1] - begins_[i]);
  }
  grants_ = {.kind = head.kind,
             .scopes = scopes_,
             .roles = roles_,
             .actors = actors_,
             .acr = acr,
             .amr = amr_,
             .claims = claims_};
  return grants_;
}

}  // namespace tollgate::policy
