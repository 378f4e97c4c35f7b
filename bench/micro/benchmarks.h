#pragma once

#include "bench/lib/token_pool.h"

namespace tollgate::bench {

// RegisterCheckBenchmarks registers the floors and the whole checks (BM_Floor_…, BM_Miss…, BM_Hit…) over the
// pool, which must live until the benchmarks have run. Every one of them first makes sure that the answer is
// the right one, and ends with an error if any timed answer was not.
void RegisterCheckBenchmarks(const TokenPool& pool);

// RegisterIntrospectionBenchmarks registers checks of tokens about which the issuer was asked and has
// answered: opaque ones, and signed ones for a tool that demands it (BM_Introspected/…).
void RegisterIntrospectionBenchmarks(const TokenPool& pool);

// RegisterPolicyBenchmarks registers whole checks of cached tokens under a small policy and a large one
// (BM_Policy/…), and of such under a policy of 1 000 tools without an audit log, with one that samples them
// out, and with a full record of each (BM_HitAudit/…).
void RegisterPolicyBenchmarks();

// RegisterStageBenchmarks registers the parts of a miss, one at a time (BM_Stage_…).
void RegisterStageBenchmarks(const TokenPool& pool);

// RegisterMcpBenchmarks registers McpReader::Read of calls of two sizes (BM_McpClassify/…), and simdjson's
// parse of the same bodies (BM_Floor_JsonParse/…), and the filter of a list (BM_McpFilter/…).
void RegisterMcpBenchmarks();

// RegisterAuditBenchmarks registers what a record of a decision costs the thread that decides
// (BM_AuditSubmit, BM_AuditSampledOut) and the background thread (BM_AuditLine).
void RegisterAuditBenchmarks();

}  // namespace tollgate::bench
