#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/base/files/interrupt.h"
#include "core/base/files/owner.h"
#include "core/base/run/claim_file.h"

namespace wkvq {

/// The right to write one file of a folder that several processes share, on this host, in
/// containers or on other hosts: "<file>.claim", made by link(2) or O_EXCL, which network file
/// systems without locks have too. It holds its owner's token, since when, and what the process is
/// doing (core/base/run/activity.h). A thread of its own renews both and the claim's time every kBeat; a claim is void when its owner is known to be dead, or, where nothing
/// is known of it, silent for kSilence by the file system's own time.
class Claim {
 public:
  static constexpr std::chrono::seconds kBeat{10};

  /// Nothing where a living owner, or one that may live, has it. WriteError where the disk takes no
  /// file; ConfigError where the folder cannot be written.
  static std::unique_ptr<Claim> take(const std::filesystem::path& target);
  /// Gives it back.
  ~Claim();
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  /// True where somebody else has taken it over: this process was silent for too long.
  bool lost() const;

  /// Who holds the claim to `target`; nothing where nobody does or the holder is known to be dead.
  static std::optional<Owner> holder(const std::filesystem::path& target);

 private:
  Claim(std::filesystem::path path, Owner owner);
  void begin(int descriptor);
  void beat();
  ClaimFile content() const;

  std::filesystem::path path_;
  Owner owner_;
  int64_t since_;
  int descriptor_ = -1;
  RemovedOnInterrupt interrupt_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  std::thread heart_;
};

/// Removes what dead processes left in `folder`: claims that are void, temporary files. Never
/// throws.
void clean_folder(const std::filesystem::path& folder) noexcept;

}  // namespace wkvq
