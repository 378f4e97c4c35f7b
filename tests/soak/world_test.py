#!/usr/bin/env python3
"""What the soak demands of answers, at a fake clock."""

import unittest
from unittest import mock

import world


class WorldTest(unittest.TestCase):
    def setUp(self):
        self.now = 100.0
        patch = mock.patch("time.monotonic", lambda: self.now)
        patch.start()
        self.addCleanup(patch.stop)
        self.world = world.World()
        self.world.count_fetches(1, 99.0)
        self.world.count_fetches(2, 100.0)  # Between 99 and 100 there was a good answer.

    def answers(self, since, otherwise=world.GOOD):
        return self.world.answers(self.now + since, self.now + since, otherwise)

    def test_good_within_the_bound_and_nothing_else(self):
        self.world.begin_fault(is_total=True)
        last = 99.0 + world.STALENESS - world.TAKEN_IN - self.now
        self.assertEqual(self.answers(last - 0.1), {200})
        self.assertEqual(self.answers(last - 0.1, 403), {403})
        self.assertEqual(self.answers(last + 0.1), {200, 503})

    def test_unavailable_beyond_the_bound_and_nothing_else(self):
        self.world.begin_fault(is_total=True)
        bound = world.FETCH + world.STALENESS
        self.assertEqual(self.answers(bound - 0.1), {200, 503})
        self.assertEqual(self.answers(bound + 0.1), {503})
        # Of a fault that may let something through that is not known.
        self.world.end_fault()
        self.world.begin_fault(is_total=False)
        self.assertEqual(self.answers(bound + 0.1), {200, 503})

    def test_good_again_only_once_a_fetch_was_seen_behind_the_fault(self):
        self.world.begin_fault(is_total=True)
        self.world.count_fetches(3, 101.0)  # In vain.
        self.now = 120.0
        self.world.end_fault()
        self.assertEqual(self.answers(0), {200, 503})
        self.assertFalse(self.world.fetched_since(119.9))
        self.world.count_fetches(4, 119.0)  # Counted when it was not over yet.
        self.world.count_fetches(4, 121.0)  # It may have been before the end.
        self.assertFalse(self.world.fetched_since(119.9))
        self.world.count_fetches(5, 122.0)
        self.assertTrue(self.world.fetched_since(119.9))
        self.assertEqual(self.answers(1), {200})
        self.world.count_fetches(5, 140.0)  # None since.
        self.now = 140.0
        self.assertEqual(self.answers(1), {200, 503})

    def test_another_answer_is_a_failure(self):
        self.world.judge("hit", {200, 503}, 503)
        self.assertEqual(self.world.num_failures, 0)
        for status in (401, 200, None):
            self.world.judge("forged", {403}, status)
        self.assertEqual(self.world.num_failures, 3)
        self.assertEqual(self.world.strict["forged"], 3)


unittest.main()
