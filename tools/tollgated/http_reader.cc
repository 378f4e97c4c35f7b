#include "tools/tollgated/http_reader.h"

#include <algorithm>

#include "tools/tollgated/character_set.h"

namespace tollgate::tollgated {
namespace {

using Result = HttpReader::Result;

// RFC 9110 section 5.6.2.
constexpr CharacterSet kTokenCharacters("!#$%&'*+-.^_`|~");
bool IsToken(std::string_view text) { return !text.empty() && kTokenCharacters.Span(text) == text.size(); }

bool IsVisible(char c) { return c > ' ' && c <= '~'; }

// RFC 9110 section 5.5: with blanks, tabs and what is beyond ASCII, but no control character.
bool IsValue(std::string_view text) {
  // To the end in any case, and of bytes alone, so that the compiler takes many at a time: most of a request
  // is such text.
  unsigned char others = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    others |= static_cast<unsigned char>((byte < ' ' && byte != '\t') || byte == 0x7f);
  }
  return others == 0;
}

std::string_view WithoutBlanks(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

// TakeLine takes a line and its end, which is there.
std::string_view TakeLine(std::string_view* rest) {
  const std::string_view line = rest->substr(0, rest->find("\r\n"));
  rest->remove_prefix(line.size() + 2);
  return line;
}

// ReadLength reads digits alone; a number beyond all limits is as good as any other one beyond them.
std::optional<size_t> ReadLength(std::string_view text) {
  constexpr size_t kEnough = size_t{1} << 48;
  if (text.empty()) return std::nullopt;
  size_t length = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    length = std::min(length * 10 + static_cast<size_t>(c - '0'), kEnough);
  }
  return length;
}

}  // namespace

Result HttpReader::Read(std::string_view bytes) {
  if (done_) Reset();
  const bool head_is_new = head_len_ == 0;
  if (head_is_new) {
    Result result = FindHead(bytes);
    if (result == Result::kRequest) result = ReadHead(bytes.substr(0, head_len_));
    if (result != Result::kRequest) return result;
  }
  if (chunked_) {
    if (const Result result = ReadChunks(bytes); result != Result::kRequest) return result;
  } else {
    length_ = head_len_ + content_length_.value_or(0);
    if (bytes.size() < length_) return Result::kNeedsMore;
  }
  // The bytes may lie elsewhere since the head was read.
  if (!head_is_new) ReadHead(bytes.substr(0, head_len_));
  request_.body = chunked_ ? std::string_view(chunked_body_) : bytes.substr(head_len_, length_ - head_len_);
  done_ = true;
  return Result::kRequest;
}

void HttpReader::Reset() {
  done_ = false;
  length_ = scanned_ = line_begin_ = head_len_ = chunks_len_ = 0;
  chunked_body_.clear();
}

// FindHead looks for the empty line that ends the header.
Result HttpReader::FindHead(std::string_view bytes) {
  if (!bytes.empty() && !kTokenCharacters.Has(bytes.front())) return Result::kMalformed;
  while (head_len_ == 0) {
    const size_t end = bytes.find('\n', scanned_);
    if (end == bytes.npos) {
      scanned_ = bytes.size();
      return bytes.size() > limits_.header_bytes_max ? Result::kHeaderTooLong : Result::kNeedsMore;
    }
    // RFC 9112 section 2.2 lets readers take a bare LF for the end of a line; others do not.
    if (end == 0 || bytes[end - 1] != '\r') return Result::kMalformed;
    if (end - 1 == line_begin_) head_len_ = end + 1;
    scanned_ = line_begin_ = end + 1;
  }
  return head_len_ > limits_.header_bytes_max ? Result::kHeaderTooLong : Result::kRequest;
}

Result HttpReader::ReadHead(std::string_view head) {
  request_.fields.clear();
  num_hosts_ = 0;
  content_length_.reset();
  chunked_ = expects_continue_ = closes_ = keeps_ = false;
  if (const Result result = ReadRequestLine(TakeLine(&head)); result != Result::kRequest) return result;
  for (std::string_view line = TakeLine(&head); !line.empty(); line = TakeLine(&head)) {
    if (const Result result = ReadField(line); result != Result::kRequest) return result;
  }
  // RFC 9112 sections 3.2 and 6.3.
  if (num_hosts_ > 1 || (num_hosts_ == 0 && !request_.is_http_1_0)) return Result::kMalformed;
  if (chunked_ && (content_length_ || request_.is_http_1_0)) return Result::kMalformed;
  if (content_length_.value_or(0) > limits_.body_bytes_max) return Result::kBodyTooLong;
  request_.keep_alive = !closes_ && (keeps_ || !request_.is_http_1_0);
  return Result::kRequest;
}

Result HttpReader::ReadRequestLine(std::string_view line) {
  const size_t method_end = line.find(' ');
  const size_t target_end = line.rfind(' ');
  if (method_end == line.npos || method_end == target_end) return Result::kMalformed;
  request_.method = line.substr(0, method_end);
  request_.target = line.substr(method_end + 1, target_end - method_end - 1);
  const std::string_view version = line.substr(target_end + 1);
  if (!IsToken(request_.method) || !request_.target.starts_with('/') ||
      !std::all_of(request_.target.begin(), request_.target.end(), IsVisible)) {
    return Result::kMalformed;
  }
  request_.is_http_1_0 = version == "HTTP/1.0";
  if (request_.is_http_1_0 || version == "HTTP/1.1") return Result::kRequest;
  return version.starts_with("HTTP/") ? Result::kVersionNotSupported : Result::kMalformed;
}

Result HttpReader::ReadField(std::string_view line) {
  if (request_.fields.size() == kFieldsMax) return Result::kHeaderTooLong;
  const size_t colon = line.find(':');
  if (colon == line.npos) return Result::kMalformed;
  // A line that continues the one before it begins with a blank, which no token does.
  const HttpField field = {line.substr(0, colon), WithoutBlanks(line.substr(colon + 1))};
  if (!IsToken(field.name) || !IsValue(field.value)) return Result::kMalformed;
  request_.fields.push_back(field);
  if (field.Is("host")) {
    ++num_hosts_;
  } else if (field.Is("content-length")) {
    if (content_length_) return Result::kMalformed;
    content_length_ = ReadLength(field.value);
    if (!content_length_) return Result::kMalformed;
  } else if (field.Is("transfer-encoding")) {
    if (chunked_) return Result::kMalformed;
    if (!ascii::EqualIgnoringCase(field.value, "chunked")) return Result::kNotImplemented;
    chunked_ = true;
  } else if (field.Is("expect")) {
    expects_continue_ |= ascii::EqualIgnoringCase(field.value, "100-continue");
  } else if (field.Is("connection")) {
    for (std::string_view rest = field.value; !rest.empty();) {
      const std::string_view option = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), option.size() + 1));
      closes_ |= ascii::EqualIgnoringCase(WithoutBlanks(option), "close");
      keeps_ |= ascii::EqualIgnoringCase(WithoutBlanks(option), "keep-alive");
    }
  }
  return Result::kRequest;
}

// ReadChunks takes chunks (RFC 9112 section 7.1), without extensions and trailers, into chunked_body_.
Result HttpReader::ReadChunks(std::string_view bytes) {
  constexpr size_t kDigitsMax = 8;
  for (;;) {
    const std::string_view rest = bytes.substr(head_len_ + chunks_len_);
    // As it comes in pieces, however small: what their sizes take counts, too.
    if (chunks_len_ > 2 * limits_.body_bytes_max + kDigitsMax) return Result::kBodyTooLong;
    size_t size = 0;
    size_t digits = 0;
    for (; digits < rest.size() && digits <= kDigitsMax; ++digits) {
      const char c = ascii::Lower(rest[digits]);
      const bool decimal = c >= '0' && c <= '9';
      if (!decimal && (c < 'a' || c > 'f')) break;
      size = size * 16 + static_cast<size_t>(decimal ? c - '0' : c - 'a' + 10);
    }
    if (digits == rest.size()) return digits > kDigitsMax ? Result::kMalformed : Result::kNeedsMore;
    if (digits == 0 || digits > kDigitsMax) return Result::kMalformed;
    if (size + chunked_body_.size() > limits_.body_bytes_max) return Result::kBodyTooLong;
    const size_t begin = digits + 2;
    const auto is_line_end = [&rest](size_t at) {
      return std::string_view("\r\n").starts_with(rest.substr(std::min(at, rest.size()), 2));
    };
    if (!is_line_end(digits)) return Result::kMalformed;
    if (!is_line_end(begin + size)) return Result::kMalformed;
    if (rest.size() < begin + size + 2) return Result::kNeedsMore;
    chunked_body_.append(rest.substr(begin, size));
    chunks_len_ += begin + size + 2;
    if (size == 0) break;
  }
  length_ = head_len_ + chunks_len_;
  return Result::kRequest;
}

}  // namespace tollgate::tollgated
