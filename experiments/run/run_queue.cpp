#include "experiments/run/run_queue.h"

#include <fmt/format.h>

#include <chrono>
#include <numeric>
#include <set>
#include <thread>

#include "core/base/files/temporary_file.h"

namespace wkvq {

namespace {

constexpr std::chrono::seconds kLookAgain{1};

}  // namespace

RunQueue::RunQueue(std::vector<std::filesystem::path> files, std::vector<RunState> states,
                   bool force, std::function<void(const std::string&)> waiting)
    : files_(std::move(files)),
      states_(std::move(states)),
      force_(force),
      waiting_(std::move(waiting)),
      pending_(files_.size()) {
  std::iota(pending_.begin(), pending_.end(), size_t{0});
  std::set<std::filesystem::path> folders;
  for (const std::filesystem::path& file : files_) folders.insert(file.parent_path());
  for (const std::filesystem::path& folder : folders) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) write_failed(folder, "cannot be made", error.value());
    clean_folder(folder);
  }
}

std::optional<Turn> RunQueue::next() {
  claim_.reset();
  while (!pending_.empty()) {
    for (size_t i = 0; i < pending_.size(); ++i) {
      current_ = pending_[i];
      auto turn = look(current_);
      if (!turn) continue;
      pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(i));
      return turn;
    }
    tell_waiting();
    std::this_thread::sleep_for(kLookAgain);
  }
  return std::nullopt;
}

std::optional<Turn> RunQueue::look(size_t run) {
  RunState& seen = states_[run];
  if (seen.status == RunStatus::kDone && !force_)
    return Turn{.index = run, .kind = TurnKind::kDoneBefore};
  std::unique_ptr<Claim> claim = Claim::take(files_[run]);
  if (!claim) return std::nullopt;
  if (stamp_of(files_[run]) != seen.stamp) {
    const RunState now = run_state(files_[run]);
    if (now.status == RunStatus::kDone) return Turn{.index = run, .kind = TurnKind::kDoneElsewhere};
    if (now.status == RunStatus::kFailed)
      return Turn{.index = run, .kind = TurnKind::kFailedElsewhere, .why = now.why};
    seen = now;
  }
  claim_ = std::move(claim);
  return Turn{.index = run,
              .kind = TurnKind::kOurs,
              .why = seen.status == RunStatus::kDamaged ? seen.why : std::string()};
}

bool RunQueue::taken_over() {
  if (!claim_ || !claim_->lost()) return false;
  claim_.reset();
  pending_.push_back(current_);
  return true;
}

void RunQueue::tell_waiting() {
  std::string text;
  for (const size_t run : pending_)
    if (const auto owner = Claim::holder(files_[run]))
      text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", files_[run].stem().string(),
                          owner->text());
  if (text.empty() || text == told_) return;
  told_ = text;
  waiting_(fmt::format("waiting for {} runs that other processes do: {}", pending_.size(), text));
}

}  // namespace wkvq
