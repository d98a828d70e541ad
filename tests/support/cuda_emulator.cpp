#include "tests/support/cuda_emulator.h"

#include <fmt/format.h>
#include <ucontext.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <vector>

namespace wkvq::test {

namespace {

constexpr size_t kStackBytes = 64 << 10, kMemoryAlignment = 64;

enum class State { kReady, kAtBarrier, kAtShuffle, kDone };

struct Fibre {
  ucontext_t context{};
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
  State state = State::kReady;
  WaitPlace place{};
  ShuffleBits given{}, received{};
  int lanes = 0;
};

/// The threads of one block, and what they share.
class Block {
 public:
  Block(const LaunchShape& shape, ThreadOrder order, const std::function<void()>& kernel)
      : fibres_(static_cast<size_t>(shape.threads)),
        order_(order),
        kernel_(kernel),
        launched_bytes_(static_cast<size_t>(shape.memory)) {}

  void run();
  void wait(State state, const WaitPlace& place);
  ShuffleBits exchange(const WaitPlace& place, unsigned mask, const ShuffleBits& mine, int lanes);
  void* memory(size_t bytes, bool launched);

 private:
  static void enter();
  void start();
  void resume(size_t i);
  /// Lets those go on that all others of their warp or block have caught up with.
  void release();
  bool release_warp(size_t first);
  void require_together(size_t first, size_t last, State state) const;
  std::string whereabouts(size_t i) const;

  std::vector<Fibre> fibres_;
  ThreadOrder order_;
  const std::function<void()>& kernel_;
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  size_t launched_bytes_, memory_bytes_ = 0, running_ = 0;
  ucontext_t scheduler_{};
  std::exception_ptr thrown_;
};

Block* current = nullptr;

/// Names the block that runs as the current one for as long as it does.
struct Running {
  explicit Running(Block* block) { current = block; }
  ~Running() { current = nullptr; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
};

void Block::enter() {
  Block& block = *current;
  try {
    block.kernel_();
  } catch (...) {
    block.thrown_ = std::current_exception();
  }
  block.fibres_[block.running_].state = State::kDone;
}

void Block::start() {
  for (Fibre& fibre : fibres_) {
    if (getcontext(&fibre.context) != 0) throw std::runtime_error("getcontext failed");
    fibre.context.uc_stack.ss_sp = fibre.stack.get();
    fibre.context.uc_stack.ss_size = kStackBytes;
    fibre.context.uc_link = &scheduler_;
    makecontext(&fibre.context, &Block::enter, 0);
    fibre.state = State::kReady;
  }
  memory_.reset();
}

void Block::resume(size_t i) {
  running_ = i;
  threadIdx = {static_cast<unsigned>(i), 0, 0};
  swapcontext(&scheduler_, &fibres_[i].context);
  if (thrown_) std::rethrow_exception(thrown_);
}

void Block::run() {
  const Running running(this);
  start();
  const size_t count = fibres_.size();
  for (bool left = true; left;) {
    left = false;
    for (size_t j = 0; j < count; ++j) {
      const size_t i = order_ == ThreadOrder::kForward ? j : count - 1 - j;
      if (fibres_[i].state == State::kReady) resume(i);
      left = left || fibres_[i].state != State::kDone;
    }
    if (left) release();
  }
}

void Block::release() {
  bool shuffled = false;
  for (size_t first = 0; first < fibres_.size(); first += kWarp)
    shuffled = release_warp(first) || shuffled;
  if (shuffled) return;
  require_together(0, fibres_.size(), State::kAtBarrier);
  for (Fibre& fibre : fibres_) fibre.state = State::kReady;
}

bool Block::release_warp(size_t first) {
  bool any = false;
  for (size_t i = first; i < first + kWarp; ++i) any = any || fibres_[i].state == State::kAtShuffle;
  if (!any) return false;
  require_together(first, first + kWarp, State::kAtShuffle);
  for (size_t i = first; i < first + kWarp; ++i) {
    const size_t other = first + ((i - first) ^ static_cast<size_t>(fibres_[i].lanes));
    fibres_[i].received = fibres_[other].given;
    fibres_[i].state = State::kReady;
  }
  return true;
}

std::string Block::whereabouts(size_t i) const {
  const Fibre& fibre = fibres_[i];
  if (fibre.state == State::kDone) return fmt::format("thread {} has returned", i);
  return fmt::format("thread {} waits at {} {}:{}", i,
                     fibre.state == State::kAtBarrier ? "barrier" : "shuffle",
                     std::filesystem::path(fibre.place.file).filename().string(), fibre.place.line);
}

void Block::require_together(size_t first, size_t last, State state) const {
  size_t waiting = first;
  while (fibres_[waiting].state != state) ++waiting;
  const WaitPlace& place = fibres_[waiting].place;
  for (size_t i = first; i < last; ++i) {
    const Fibre& other = fibres_[i];
    if (other.state == state && other.place.line == place.line &&
        std::strcmp(other.place.file, place.file) == 0)
      continue;
    throw std::runtime_error(fmt::format("kernel, block ({}, {}, {}): {}, but {}", blockIdx.x,
                                         blockIdx.y, blockIdx.z, whereabouts(waiting),
                                         whereabouts(i)));
  }
}

void Block::wait(State state, const WaitPlace& place) {
  Fibre& fibre = fibres_[running_];
  fibre.state = state;
  fibre.place = place;
  swapcontext(&fibre.context, &scheduler_);
}

ShuffleBits Block::exchange(const WaitPlace& place, unsigned mask, const ShuffleBits& mine,
                            int lanes) {
  if (mask != 0xffffffffU || lanes <= 0 || lanes >= kWarp)
    throw std::runtime_error(fmt::format(
        "shuffle: got mask {:#x} and lanes {}; expected all lanes and 1 to 31", mask, lanes));
  Fibre& fibre = fibres_[running_];
  fibre.given = mine;
  fibre.lanes = lanes;
  wait(State::kAtShuffle, place);
  return fibre.received;
}

void* Block::memory(size_t bytes, bool launched) {
  if (launched && bytes != launched_bytes_)
    throw std::runtime_error(fmt::format(
        "block memory: got a launch with {} and a request of {} bytes", launched_bytes_, bytes));
  if (!memory_) {
    const size_t whole = (bytes + kMemoryAlignment - 1) / kMemoryAlignment * kMemoryAlignment;
    memory_.reset(std::aligned_alloc(kMemoryAlignment, whole));
    memory_bytes_ = bytes;
    std::memset(memory_.get(), 0xff, bytes);  // NaN in every type of numbers
  }
  if (bytes != memory_bytes_)
    throw std::runtime_error(
        fmt::format("block memory: got requests of {} and {} bytes", memory_bytes_, bytes));
  return memory_.get();
}

}  // namespace

void run_blocks(const LaunchShape& shape, ThreadOrder order, const std::function<void()>& kernel) {
  if (shape.threads <= 0 || shape.threads % kWarp != 0 || shape.threads > 1024)
    throw std::runtime_error(fmt::format(
        "launch: got blocks of {} threads; expected a multiple of 32 up to 1024", shape.threads));
  if (current) throw std::runtime_error("launch: a kernel cannot launch another here");
  Block block(shape, order, kernel);
  const auto count = [](int64_t n) { return static_cast<unsigned>(n); };
  gridDim = {count(shape.x), count(shape.y), count(shape.z)};
  blockDim = {count(shape.threads), 1, 1};
  for (unsigned z = 0; z < gridDim.z; ++z)
    for (unsigned y = 0; y < gridDim.y; ++y)
      for (unsigned x = 0; x < gridDim.x; ++x) {
        blockIdx = {x, y, z};
        block.run();
      }
}

void wait_for_block(const WaitPlace& place) {
  current->wait(State::kAtBarrier, place);
}

ShuffleBits exchange(const WaitPlace& place, unsigned mask, const ShuffleBits& mine, int lanes) {
  return current->exchange(place, mask, mine, lanes);
}

void* block_memory(size_t bytes, bool launched) {
  return current->memory(bytes, launched);
}

}  // namespace wkvq::test
