#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "tollgate/reason.h"

namespace tollgate::json {

// ArrayFilter copies a JSON text without some elements of its arrays, and everything else byte by byte.
// Memory grows to about 20 times the longest text so far. Owner thread only.
class ArrayFilter {
 public:
  // Path names an array of objects: the member `array` of the member `parent` of the root, or of each object
  // in a root that is an array. Each object is known by its member `name`. ASCII, none empty.
  struct Path {
    std::string_view parent;
    std::string_view array;
    std::string_view name;
  };
  // Keep says of an object with this name in the array of paths[path] whether it stays.
  using Keep = absl::FunctionRef<bool(size_t path, std::string_view name)>;

  explicit ArrayFilter(size_t bytes_max);
  ~ArrayFilter();
  ArrayFilter(const ArrayFilter&) = delete;
  ArrayFilter& operator=(const ArrayFilter&) = delete;

  // Copy appends `text` without the elements that do not stay: those that `keep` does not, and those that are
  // no objects, or whose name is no string, or there more than once or under a name that differs in case
  // alone. Reasons of LargeDocument::Parse, and kDuplicateMember if it is not certain which array is meant:
  // a parent or an array is there twice, or under a name that differs in case alone; an array is none; a root
  // that is an array holds an array. Then `out` is as before. Only its own growth can throw.
  Reason Copy(std::string_view text, std::span<const Path> paths, Keep keep, std::string* out);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace tollgate::json
