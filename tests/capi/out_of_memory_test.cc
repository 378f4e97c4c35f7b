// A program of its own, since it replaces operator new by one that fails when it is told to: each allocation
// of each function fails once, and comes back as a status, with nothing done, or as the third answer.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>

#include "capi_fixture.h"
#include "tollgate/c/mcp.h"
#include "tollgate/c/policy_file.h"

namespace {

// How many allocations of this thread succeed until one fails; less than 0: all do.
thread_local int64_t good_allocations = -1;

}  // namespace

// Never inlined: gcc would see malloc's memory given to delete, and warn.
[[gnu::noinline]] void* operator new(size_t size) {
  if (good_allocations >= 0 && good_allocations-- == 0) throw std::bad_alloc();
  void* const p = std::malloc(size);
  if (p == nullptr) std::abort();
  return p;
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { operator delete(p); }

namespace tollgate {
namespace {

// Shorter texts would not be allocated.
constexpr char kLong[] = "a.name.that.is.longer.than.what.a.string.holds.without.an.allocation";

class OutOfMemoryTest : public CapiTest {
 protected:
  // Has the first, the second, … allocation of `call` fail, until it needs no more of them. `failed` sees
  // what it returned while one did.
  template <typename Call, typename Failed>
  auto EachAllocationFails(Call call, Failed failed) {
    for (int64_t n = 0;; ++n) {
      good_allocations = n;
      const auto result = call();
      const bool none_failed = good_allocations >= 0;
      good_allocations = -1;
      if (none_failed) {
        EXPECT_GT(n, 0) << "nothing was allocated";
        return result;
      }
      failed(result);
      if (HasFailure()) return result;
    }
  }

  template <typename Call>
  void EndsInAStatus(Call call) {
    const tollgate_status status =
        EachAllocationFails(call, [](tollgate_status failed) { EXPECT_EQ(failed, TOLLGATE_OUT_OF_MEMORY); });
    EXPECT_EQ(status, TOLLGATE_OK) << Message();
  }
};

TEST_F(OutOfMemoryTest, HandlesAreNull) {
  tollgate_mcp_reader_free(tollgate_mcp_reader_new(nullptr));  // simdjson finds out about the processor once.
  tollgate_policy_free(EachAllocationFails([] { return tollgate_policy_new(); },
                                           [](tollgate_policy* made) { EXPECT_EQ(made, nullptr); }));
  tollgate_config_free(EachAllocationFails([] { return tollgate_config_new(); },
                                           [](tollgate_config* made) { EXPECT_EQ(made, nullptr); }));
  tollgate_principal_free(EachAllocationFails([] { return tollgate_principal_new(); },
                                              [](tollgate_principal* made) { EXPECT_EQ(made, nullptr); }));
  // These may do without some of theirs until they read.
  tollgate_mcp_reader_free(
      EachAllocationFails([] { return tollgate_mcp_reader_new(nullptr); }, tollgate_mcp_reader_free));
  tollgate_mcp_filter_free(
      EachAllocationFails([] { return tollgate_mcp_filter_new(0); }, tollgate_mcp_filter_free));
}

TEST_F(OutOfMemoryTest, AConfigurationIsAsItWas) {
  PolicyPtr policy(tollgate_policy_new());
  auto rule = Sized<tollgate_rule>();
  rule.name = Str(kLong);
  rule.scopes = Str("files:read");
  EndsInAStatus([&] { return tollgate_policy_add_rule(policy.get(), &rule, &error_); });
  EndsInAStatus([&] { return tollgate_policy_add_protocol(policy.get(), {}, &error_); });

  ConfigPtr config(tollgate_config_new());
  auto issuer = Issuer();
  issuer.algorithms = Str("ES256");
  issuer.profile = Str("rfc9068");
  EndsInAStatus([&] { return tollgate_config_add_issuer(config.get(), &issuer, &error_); });
  const tollgate_string audiences[] = {tollgate_str(kLong)};
  auto resource = Sized<tollgate_resource>();
  resource.uri = Str(kResource);
  resource.audiences = {audiences, 1};
  EndsInAStatus([&] { return tollgate_config_add_resource(config.get(), &resource, &error_); });
  ASSERT_EQ(tollgate_config_set_policy(config.get(), policy.get(), &error_), TOLLGATE_OK) << Message();
  auto options = Options();
  options.snapshot_key_file = Str(kLong);
  EndsInAStatus([&] { return tollgate_config_set_options(config.get(), &options, &error_); });

  options = Options();
  ASSERT_EQ(tollgate_config_set_options(config.get(), &options, &error_), TOLLGATE_OK) << Message();

  // An issuer or a rule that had been added twice would be refused.
  EnginePtr engine = Engine(config.get());
  EXPECT_EQ(Reason(Check(engine.get(), Bearer(), kLong)), "none");
}

TEST_F(OutOfMemoryTest, InsideOfAnEngineTheProcessEnds) {
  EnginePtr engine = Engine();
  PolicyPtr policy = Policy();
  ConfigPtr config = Config(Issuer(), Options());
  tollgate_engine* made = nullptr;
  const auto without_memory = [](auto call) {
    good_allocations = 0;
    call();
    good_allocations = -1;
  };
  EXPECT_DEATH(without_memory([&] { tollgate_set_policy(engine.get(), policy.get(), nullptr); }), "");
  EXPECT_DEATH(without_memory([&] { tollgate_config_set_policy(config.get(), policy.get(), nullptr); }), "");
  EXPECT_DEATH(without_memory([&] { tollgate_engine_create(config.get(), &made, nullptr); }), "");
}

TEST_F(OutOfMemoryTest, TextsAreNotWritten) {
  EnginePtr engine = Engine();
  const std::string bearer = Bearer();
  const auto request = Request(bearer, "delete");
  const auto decision = Check(engine.get(), bearer, "delete");
  auto metadata = Sized<tollgate_metadata>();
  metadata.resource = Str(kResource);
  char buffer[4096];
  const auto is_not_written = [&](size_t size) {
    EXPECT_EQ(size, TOLLGATE_FAILED);
    EXPECT_STREQ(buffer, "");
  };
  EachAllocationFails([&] { return tollgate_read_health(engine.get(), buffer, sizeof buffer); },
                      is_not_written);
  EachAllocationFails(
      [&] { return tollgate_challenge(engine.get(), &request, &decision, {}, buffer, sizeof buffer); },
      is_not_written);
  EachAllocationFails([&] { return tollgate_metadata_url(Str(kResource), buffer, sizeof buffer); },
                      is_not_written);
  EachAllocationFails([&] { return tollgate_metadata_json(&metadata, buffer, sizeof buffer); },
                      is_not_written);
}

uint32_t KeepAll(void*, uint32_t, tollgate_string) { return 1; }
uint32_t KeepNone(void*, uint32_t, tollgate_string) { return 0; }

TEST_F(OutOfMemoryTest, AMessageThatCannotBeReadNeedsToComeLater) {
  const std::string body =
      std::string(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")") + kLong + R"("}})";
  const auto headers = Sized<tollgate_mcp_headers>();
  tollgate_mcp_reader* reader = nullptr;
  EachAllocationFails(
      [&] {
        // A new one, that has no memory yet.
        const int64_t good = std::exchange(good_allocations, -1);
        tollgate_mcp_reader_free(reader);
        reader = tollgate_mcp_reader_new(nullptr);
        good_allocations = good;
        auto message = Sized<tollgate_mcp_message>();
        EXPECT_EQ(tollgate_mcp_read(reader, &headers, Str(body), &message), TOLLGATE_OK);
        return message;
      },
      [](const tollgate_mcp_message& message) {
        EXPECT_EQ(message.http_status, 503u);
        EXPECT_EQ(message.num_calls, 0u);
      });
  tollgate_mcp_reader_free(reader);
}

TEST_F(OutOfMemoryTest, OfAListThatCannotBeFilteredNothingIsLeft) {
  const std::string list = std::string(R"({"result":{"tools":[{"name":")") + kLong + R"("}]}})";
  const std::string event = "data: " + list + "\n\n";
  tollgate_mcp_filter* filter = nullptr;
  tollgate_string filtered = {};
  for (const bool is_event : {false, true}) {
    EachAllocationFails(
        [&] {
          const int64_t good = std::exchange(good_allocations, -1);
          tollgate_mcp_filter_free(filter);
          filter = tollgate_mcp_filter_new(0);
          // simdjson needs memory of its own for the first list.
          EXPECT_EQ(tollgate_mcp_filter_body(filter, Str(list), KeepNone, nullptr, &filtered), 0u);
          good_allocations = good;
          return is_event ? tollgate_mcp_filter_events(filter, Str(event), KeepAll, nullptr, &filtered)
                          : tollgate_mcp_filter_body(filter, Str(list), KeepAll, nullptr, &filtered);
        },
        [&](uint32_t reason) {
          EXPECT_STREQ(tollgate_reason_name(reason), "overloaded");
          EXPECT_EQ(filtered.size, 0u);
          if (!is_event) return;
          EXPECT_STREQ(tollgate_reason_name(
                           tollgate_mcp_filter_events(filter, Str(event), KeepAll, nullptr, &filtered)),
                       "overloaded")
              << "a stream goes on after a gap";
        });
    EXPECT_EQ(Text(filtered), is_event ? event : list);
  }
  tollgate_mcp_filter_free(filter);
}

}  // namespace
}  // namespace tollgate
