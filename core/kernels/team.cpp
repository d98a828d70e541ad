#include "core/kernels/team.h"

#include <chrono>

#include "core/base/error.h"

namespace wkvq {

namespace {

using Clock = std::chrono::steady_clock;

/// What lies between two loops of a token takes less; waking a thread takes more.
constexpr std::chrono::microseconds kPatience{20};

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Looks until `over()`, kPatience at most. Whether it came.
template <class Over>
bool came(Over&& over) {
  constexpr int kLooks = 32;
  const Clock::time_point end = Clock::now() + kPatience;
  do {
    for (int i = 0; i < kLooks; ++i) {
      if (over()) return true;
      pause();
    }
  } while (Clock::now() < end);
  return over();
}

int64_t count_of(uint64_t ticket) {
  return static_cast<int64_t>(ticket >> 16 & 0xffff);
}
int64_t next_of(uint64_t ticket) {
  return static_cast<int64_t>(ticket & 0xffff);
}

}  // namespace

Team::Team(int64_t threads) {
  for (int64_t i = 1; i < threads; ++i) helpers_.emplace_back([this] { help(); });
}

Team::~Team() {
  stop_ = true;
  ticket_ = ++generation_ << 32;
  ticket_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void Team::share(int64_t count, Function function, const void* context) {
  if (count > kMost) config_error("team: a loop of {} parts; expected at most {}", count, kMost);
  function_ = function;
  context_ = context;
  done_.store(0, std::memory_order_relaxed);
  // In one order with the waiters' counter, which notify_all looks at.
  ticket_.store(++generation_ << 32 | static_cast<uint64_t>(count) << 16);
  ticket_.notify_all();
  while (take()) {
  }
  const auto all = [&] { return done_.load(std::memory_order_acquire) == count; };
  while (!came(all)) std::this_thread::yield();
}

bool Team::take() {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  do {
    if (next_of(ticket) >= count_of(ticket)) return false;
  } while (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel,
                                          std::memory_order_acquire));
  function_(context_, next_of(ticket));
  done_.fetch_add(1, std::memory_order_release);
  return true;
}

void Team::help() {
  while (!stop_) {
    if (take()) continue;
    const uint64_t ticket = ticket_.load(std::memory_order_acquire);
    if (next_of(ticket) < count_of(ticket)) continue;
    const auto changed = [&] { return ticket_.load(std::memory_order_acquire) != ticket; };
    if (!stop_ && !came(changed)) ticket_.wait(ticket);
  }
}

}  // namespace wkvq
