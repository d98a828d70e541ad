#include "core/base/run/activity.h"

#include <mutex>
#include <utility>

namespace wkvq {
namespace {

std::mutex mutex;

std::string& told() {
  static std::string text;
  return text;
}

}  // namespace

void tell_activity(std::string text) {
  const std::lock_guard lock(mutex);
  told() = std::move(text);
}

std::string activity() {
  const std::lock_guard lock(mutex);
  return told();
}

}  // namespace wkvq
