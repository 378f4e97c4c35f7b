#pragma once

namespace tollgate::bench {

// The report's only style sheet. The series colours keep their distance for readers who tell few colours
// apart, on both grounds; verdicts are told apart by label too.
inline constexpr char kStyle[] = R"css(
:root {
  --page: #fbfaf8; --card: #ffffff; --ink: #1c1b1a; --muted: #6b6862; --grid: #e4e1da; --line: #e4e1da;
  --floor: #b9b4a9; --series-1: #2563b8; --series-2: #d08a1d; --series-3: #a8397e;
  --allow: #2f7fb8; --warn: #e0a020; --deny: #c23b32;
  --fresh: #eef5ee; --stale: #fbf4d8; --degraded: #fbe3cc; --unavailable: #f6d3d0;
  --good-bg: #dff0e2; --good: #1d5c2e; --bad-bg: #f9dcd9; --bad: #8d1f17;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #151617; --card: #1d1e20; --ink: #ebe9e4; --muted: #a19d95; --grid: #34363a; --line: #34363a;
    --floor: #6d6a64; --series-1: #6aa5ee; --series-2: #e3a948; --series-3: #dd80b8;
    --allow: #5aa6dc; --warn: #e5b042; --deny: #ea6e64;
    --fresh: #1c2620; --stale: #312c17; --degraded: #3a2917; --unavailable: #3f2020;
    --good-bg: #1d3a26; --good: #9bdcae; --bad-bg: #4a2220; --bad: #f4aaa3;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.55;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 48px 24px 80px; }
h1 { font-size: 34px; line-height: 1.15; letter-spacing: -.015em; margin: 4px 0 16px; }
h2 { font-size: 22px; letter-spacing: -.01em; margin: 0 0 12px; }
h3 { font-size: 16px; margin: 28px 0 4px; }
p { max-width: 76ch; margin: 0 0 14px; }
.eyebrow { color: var(--muted); font-size: 14px; margin: 0; }
.lead { font-size: 18px; }
.muted { color: var(--muted); }
p.muted { font-size: 14px; }
code { font: .92em ui-monospace, "SF Mono", Menlo, "Liberation Mono", monospace; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
    padding: 28px 28px 22px; margin: 24px 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14.5px; margin: 6px 0 14px; }
th { text-align: left; font-weight: 500; color: var(--muted); font-size: 13px; white-space: nowrap; }
th, td { padding: 7px 14px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tbody tr:last-child td { border-bottom: 0; }
.num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.headline td:first-child { white-space: nowrap; }
.headline td:nth-child(5) { white-space: nowrap; }
.words { color: var(--muted); font-size: 13.5px; min-width: 22ch; }
.badge { display: inline-block; padding: 0 9px; border-radius: 9px; font-size: 12.5px;
    line-height: 19px; font-weight: 600; white-space: nowrap; }
.badge.good { background: var(--good-bg); color: var(--good); }
.badge.bad { background: var(--bad-bg); color: var(--bad); }
.note { border-left: 4px solid var(--warn); background: var(--card); padding: 10px 16px; margin: 16px 0;
    font-size: 14.5px; }
.note.failures { border-color: var(--deny); }
.note ul, ul.prose { margin: 4px 0 12px; padding-left: 20px; max-width: 80ch; }
ul.prose li { margin: 6px 0; }
.legend { font-size: 13.5px; color: var(--muted); max-width: none; }
.swatch { display: inline-block; width: 13px; height: 13px; border-radius: 3px;
    border: 1px solid var(--line); margin: 0 5px 0 12px; vertical-align: -2px; }
svg { display: block; width: 100%; min-width: 640px; height: auto; margin: 8px 0 10px; }
svg text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
    fill: var(--ink); }
svg .label, svg .tick, svg .small { fill: var(--muted); }
svg .tick, svg .small { font-size: 11.5px; }
svg .value, svg .tick { font-variant-numeric: tabular-nums; }
svg .strong { font-weight: 600; }
svg .grid { stroke: var(--grid); stroke-width: 1; }
svg .event { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 3 3; opacity: .7; }
svg .hover { fill: transparent; }
svg .hover:hover { fill: var(--ink); opacity: .08; }
summary { cursor: pointer; font-weight: 600; }
@media (max-width: 640px) { main { padding: 24px 12px; } section { padding: 18px 14px; } }
)css";

}  // namespace tollgate::bench
