"""What is true at each moment of a soak, kept by whoever makes it so, and therefore what each answer must be."""

import time
from collections import Counter, defaultdict

# The daemon's bounds of time, in seconds: its configuration is written from these.
STALENESS = 8.0
REFRESH = 1.0
FETCH = 1.0
ACTIVE = 1.0
# What was answered to the daemon before that is known to it.
TAKEN_IN = 1.5

# Whoever waits longer has been forgotten: more than a machine under load holds processes up.
ANSWER_MAX = 150

GOOD, UNAVAILABLE = 200, 503
FAILURES_SHOWN = 20


class World:
    """The provider's requests for keys are counted while it does nothing wrong: each of them is a good answer, later than
    the count before it. So it is known, and not supposed, how old the daemon's keys may be."""

    def __init__(self):
        self.fault_since = None      # The provider fails in some way since then;
        self.fault_is_total = False  # in a way that lets no key set through.
        self.num_faults = 0
        self.healthy_since = 0.0
        self.num_fetches = None      # Since then; None: not counted yet.
        self.last_count = 0.0        # When they were counted;
        self.last_good = 0.0         # a good answer is not older than that.
        self.asked, self.strict = Counter(), Counter()
        self.statuses = defaultdict(Counter)
        self.failures = []
        self.num_failures = 0

    def fail(self, text):
        self.num_failures += 1
        if len(self.failures) < FAILURES_SHOWN:
            self.failures.append(f"{time.strftime('%H:%M:%S')} {text}")

    def count_fetches(self, number, begun):
        """Takes how many requests for keys there have been, counted at `begun` or later."""
        if self.fault_since is not None or begun < self.healthy_since:
            return  # Some may have been answered badly.
        if self.num_fetches is not None and number > self.num_fetches:
            self.last_good = self.last_count
        self.num_fetches, self.last_count = number, begun

    def begin_fault(self, is_total):
        self.fault_since, self.fault_is_total = time.monotonic(), is_total
        self.num_faults += 1

    def end_fault(self):
        self.fault_since, self.num_fetches, self.healthy_since = None, None, time.monotonic()

    def fetched_since(self, change):
        """Whether a key set has been served after `change`."""
        return self.last_good > change

    def answers(self, begun, ended, otherwise=GOOD):
        """The statuses that may be answered where `otherwise` is the one while keys are within their bound."""
        if ended < self.last_good + STALENESS - TAKEN_IN:
            return {otherwise}
        # What was asked for before the fault may have been answered within the time for a fetch.
        if self.fault_since is not None and self.fault_is_total and begun > self.fault_since + FETCH + STALENESS:
            return {UNAVAILABLE}
        return {otherwise, UNAVAILABLE}

    def judge(self, kind, allowed, status, what=""):
        self.asked[kind] += 1
        self.statuses[kind][status] += 1
        self.strict[kind] += len(allowed) == 1
        if status not in allowed:
            fault = "no fault" if self.fault_since is None else f"a fault for {time.monotonic() - self.fault_since:.1f} s"
            self.fail(f"{kind}: {status} instead of {sorted(allowed)}, {fault} {what}")
