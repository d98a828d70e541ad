#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

namespace wkvq {

/// A file descriptor, closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator int() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

inline constexpr const char* kClaimExtension = ".claim";

/// A claim as it lies in the folder: three lines of text.
struct ClaimFile {
  std::string token;  ///< its owner's; empty where it is none of ours, or not yet written
  int64_t since = 0;  ///< when it was made, in seconds of the owner's clock; 0: not said
  std::string doing;  ///< what its owner was at when it last renewed the claim; may be empty
  int64_t time = 0;   ///< when it was last renewed, in seconds by the file system

  /// "<token>\nsince <since>\n<doing>\n", always of one length, so that a claim is renewed in its
  /// place; `doing` is cut where it does not fit.
  std::string text() const;
};

/// Nothing where there is none. ConfigError where something else has its name.
std::optional<ClaimFile> read_claim(const std::filesystem::path& path);

/// Whether its owner is known to be dead or, where nothing is known of it, silent at time `now`.
bool is_void(const ClaimFile& claim, int64_t now);

}  // namespace wkvq
