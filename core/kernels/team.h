#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace wkvq {

/// Threads that share loops of a few microseconds, of which one token of a model takes hundreds.
/// Whoever is free takes the next index, so a thread that lost its processor holds up one index
/// only. Helpers that find nothing to do look for some microseconds and then sleep.
class Team {
 public:
  /// The caller and `threads` - 1 helpers.
  explicit Team(int64_t threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int64_t threads() const { return static_cast<int64_t>(helpers_.size()) + 1; }

  /// Most indices of one loop.
  static constexpr int64_t kMost = 65535;

  /// body(i) once for every i < count, on any thread; returns when all are done. `body` must not
  /// throw, nor call run(). For one calling thread at a time.
  template <class Body>
  void run(int64_t count, Body&& body) {
    if (count <= 1 || helpers_.empty()) {
      for (int64_t i = 0; i < count; ++i) body(i);
      return;
    }
    using Plain = std::remove_reference_t<Body>;
    share(
        count,
        [](const void* context, int64_t i) {
          (*static_cast<Plain*>(const_cast<void*>(context)))(i);
        },
        std::addressof(body));
  }

 private:
  using Function = void (*)(const void*, int64_t);
  void share(int64_t count, Function function, const void* context);
  /// Takes an index of the loop at hand and runs it; false where none is left.
  bool take();
  void help();

  // Of the loop at hand; written before `ticket_`, read by those who took an index.
  Function function_ = nullptr;
  const void* context_ = nullptr;
  uint64_t generation_ = 0;
  // In one word, so that an index cannot be taken of a loop that is over: number of the loop, its
  // count (16 bits), the next index (16 bits).
  alignas(64) std::atomic<uint64_t> ticket_{0};
  alignas(64) std::atomic<int64_t> done_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> helpers_;
};

}  // namespace wkvq
