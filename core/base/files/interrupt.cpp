#include "core/base/files/interrupt.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <mutex>

namespace wkvq {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};
constexpr size_t kMaxContent = 256;

struct Doomed {
  std::string path, content;
};

std::array<std::atomic<const Doomed*>, 16> slots;
std::atomic<const std::string*> farewell;
std::array<struct sigaction, kSignals.size()> before;

/// Kept for ever: a handler in another thread may still look at it.
template <class T>
const T* keep(T value) {
  static std::mutex mutex;
  static std::deque<T> kept;
  const std::lock_guard lock(mutex);
  return &kept.emplace_back(std::move(value));
}

void remove_doomed(const Doomed& file) {
  if (!file.content.empty()) {
    std::array<char, kMaxContent> bytes;
    const int descriptor = ::open(file.path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) return;
    const ssize_t count = ::read(descriptor, bytes.data(), bytes.size());
    ::close(descriptor);
    if (count < static_cast<ssize_t>(file.content.size()) ||
        std::memcmp(bytes.data(), file.content.data(), file.content.size()) != 0)
      return;
  }
  ::unlink(file.path.c_str());
}

extern "C" void on_interrupt(int signal) {
  for (auto& slot : slots)
    if (const Doomed* file = slot.exchange(nullptr)) remove_doomed(*file);
  if (const std::string* text = farewell.load())
    if (::write(STDERR_FILENO, text->data(), text->size()) < 0) {
      // Nobody is left to be told.
    }
  ::_exit(128 + signal);
}

}  // namespace

InterruptHandler::InterruptHandler(const std::string& text) {
  // A bar that overwrites itself may stand on the line.
  farewell = keep(fmt::format("{}{}\n", ::isatty(STDERR_FILENO) ? "\n" : "", text));
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  for (const int signal : kSignals) sigaddset(&action.sa_mask, signal);
  for (size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], nullptr, &before[i]);
    if (before[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
  }
}

InterruptHandler::~InterruptHandler() {
  for (size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before[i], nullptr);
}

RemovedOnInterrupt::RemovedOnInterrupt(const std::filesystem::path& path, std::string content) {
  const Doomed* file = keep(Doomed{path.string(), std::move(content)});
  for (slot_ = 0; slot_ < slots.size(); ++slot_) {
    const Doomed* free = nullptr;
    if (slots[slot_].compare_exchange_strong(free, file)) return;
  }
}

RemovedOnInterrupt::~RemovedOnInterrupt() {
  if (slot_ < slots.size()) slots[slot_] = nullptr;
}

}  // namespace wkvq
