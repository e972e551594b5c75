#pragma once

/// Everything that a coroutine of an actor uses. A handler returns run(self, work(self, ...)); the
/// work is a task<T> that awaits ask, sleep_for, external, blocking, when_all, when_any and
/// with_deadline, is resumed in its actor only, and dies with it.

#include <bulkhead/actors/ask.hpp>
#include <bulkhead/actors/caf_errors.hpp>
#include <bulkhead/actors/external.hpp>
#include <bulkhead/actors/run.hpp>
#include <bulkhead/actors/sleep.hpp>
#include <bulkhead/actors/task.hpp>
#include <bulkhead/actors/when.hpp>
