// Does a connection leave tokens in memory that is somebody else's afterwards? Every block that a thread of
// the server gives back is looked through for one.

#include <gtest/gtest.h>
#include <malloc.h>
#include <string.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <thread>

#include "tests/tollgated/http_client.h"
#include "tools/tollgated/http_server.h"

namespace {

constexpr char kSecret[] = "eyJhbGciOiJFUzI1NiJ9.a-token-that-nobody-may-find.c2lnbmF0dXJl";

std::atomic<bool> is_looking{false};
std::atomic<size_t> num_blocks{0}, num_found{0};
thread_local bool is_client = false;  // Who may have it where they like.

void Look(const void* block) {
  // Ordering: relaxed, no partner: the test's threads are started and joined around what is counted.
  if (block == nullptr || is_client || !is_looking.load(std::memory_order_relaxed)) return;
  num_blocks.fetch_add(1, std::memory_order_relaxed);
  const size_t size = malloc_usable_size(const_cast<void*>(block));
  if (memmem(block, size, kSecret, sizeof(kSecret) - 1) != nullptr)
    num_found.fetch_add(1, std::memory_order_relaxed);
}

void* Get(size_t size) {
  void* const block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) std::abort();
  return block;
}

void Give(void* block) noexcept {
  Look(block);
  std::free(block);
}

}  // namespace

void* operator new(size_t size) { return Get(size); }
void* operator new[](size_t size) { return Get(size); }
void operator delete(void* block) noexcept { Give(block); }
void operator delete[](void* block) noexcept { Give(block); }
void operator delete(void* block, size_t /*size*/) noexcept { Give(block); }
void operator delete[](void* block, size_t /*size*/) noexcept { Give(block); }

namespace tollgate::tollgated {
namespace {

class Ok final : public HttpHandler {
 public:
  // `keeps`: as a handler would that copies a token and gives its memory back as it is.
  explicit Ok(bool keeps) : keeps_(keeps) {}
  bool Answer(const HttpRequest& request, HttpAnswer* answer, absl::FunctionRef<Later()> /*later*/) override {
    for (const HttpField& field : request.fields)
      if (keeps_ && field.Is("authorization")) std::make_unique<std::string>(field.value).reset();
    *answer = {.status = 200};
    return true;
  }

 private:
  const bool keeps_;
};

// FoundAfter says in how many blocks the token was, after a connection with a request as long as that.
size_t FoundAfter(size_t filler_bytes, bool handler_keeps) {
  is_client = true;
  auto server = HttpServer::Start({.listen = {"127.0.0.1:0"}, .bounds = {.header_bytes_max = 65'536}},
                                  [&] { return std::make_unique<Ok>(handler_keeps); });
  EXPECT_TRUE(server.ok()) << server.status();
  // Ordering: relaxed, no partner: see Look.
  num_found.store(0, std::memory_order_relaxed);
  num_blocks.store(0, std::memory_order_relaxed);
  is_looking.store(true, std::memory_order_relaxed);
  {
    HttpClient client((*server)->listening().front());
    const std::string token = std::string("Authorization: Bearer ") + kSecret + "\r\n";
    client.Send("GET /a HTTP/1.1\r\nHost: a\r\n" + token + "X: ");
    client.Send(std::string(filler_bytes, 'x') + "\r\n\r\n" + "GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_NE(client.ReadAnswer(), "");
    EXPECT_NE(client.ReadAnswer(), "");
  }
  while ((*server)->ReadCounters().connections_open != 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  (*server)->Drain(std::chrono::milliseconds(0));
  is_looking.store(false, std::memory_order_relaxed);
  EXPECT_GT(num_blocks.load(std::memory_order_relaxed), 0u);
  return num_found.load(std::memory_order_relaxed);
}

TEST(HttpServerWipe, NothingOfATokenIsInMemoryThatAConnectionGivesBack) {
  EXPECT_EQ(FoundAfter(10, false), 0u);
  EXPECT_EQ(FoundAfter(40'000, false), 0u) << "whose buffer has grown meanwhile";
}

TEST(HttpServerWipe, ButWouldBeFound) { EXPECT_GT(FoundAfter(10, true), 0u); }

}  // namespace
}  // namespace tollgate::tollgated
