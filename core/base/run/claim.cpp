#include "core/base/run/claim.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/files/temporary_file.h"
#include "core/base/run/activity.h"

namespace wkvq {
namespace {

namespace fs = std::filesystem;

constexpr int kAttempts = 3;

fs::path claim_of(const fs::path& target) {
  return target.string() + kClaimExtension;
}

int64_t time_of(const struct stat& file) {
  return file.st_mtim.tv_sec;
}

/// Removes a claim that is void, in the turn that "<claim>.break" gives: two that found it void
/// must not remove what the faster one has put in its place.
void remove_void(const fs::path& path, const ClaimFile& seen, int64_t now) {
  const fs::path turn = path.string() + ".break";
  const Descriptor ours(::open(turn.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  struct stat found {};
  if (ours < 0) {
    if (::stat(turn.c_str(), &found) == 0 && now - time_of(found) > kSilence.count())
      ::unlink(turn.c_str());
    return;
  }
  const auto standing = read_claim(path);
  if (standing && standing->token == seen.token && is_void(*standing, now)) ::unlink(path.c_str());
  ::unlink(turn.c_str());
}

void write_text(int file, const fs::path& path, const std::string& text) {
  errno = 0;
  if (::write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    write_failed(path, "cannot be written", errno == 0 ? ENOSPC : errno);
}

/// A file with the claim's text under a name of its own, for link(2).
class Candidate {
 public:
  Candidate(const fs::path& claim, const ClaimFile& content)
      : path_(claim.string() + "." + content.token + ".tmp"),
        text_(content.text()),
        interrupt_(path_),
        file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
    if (file_ < 0) write_failed(claim, "cannot be written", errno);
    try {
      write_text(file_, claim, text_);
    } catch (...) {
      ::unlink(path_.c_str());
      throw;
    }
  }
  ~Candidate() { ::unlink(path_.c_str()); }
  Candidate(const Candidate&) = delete;
  Candidate& operator=(const Candidate&) = delete;

  /// The file system's time.
  int64_t now() const {
    struct stat found {};
    ::futimens(file_, nullptr);
    return ::fstat(file_, &found) == 0 ? time_of(found) : 0;
  }

  /// The open claim; negative where another one stands in its place.
  int put(const fs::path& claim) {
    struct stat found {};
    if (::link(path_.c_str(), claim.c_str()) == 0) return file_.release();
    const int error = errno;
    // A network may lose the answer to a link that was made.
    if (::fstat(file_, &found) == 0 && found.st_nlink == 2) return file_.release();
    if (error == EEXIST) return -1;
    // A file system without hard links.
    Descriptor made(::open(claim.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (made < 0 && errno == EEXIST) return -1;
    if (made < 0) write_failed(claim, "cannot be written", errno);
    write_text(made, claim, text_);
    return made.release();
  }

 private:
  fs::path path_;
  std::string text_;
  RemovedOnInterrupt interrupt_;
  Descriptor file_;
};

}  // namespace

std::unique_ptr<Claim> Claim::take(const fs::path& target) {
  const fs::path path = claim_of(target);
  // Before it is made, so that an interrupt just then removes it.
  std::unique_ptr<Claim> claim(new Claim(path, Owner::self()));
  Candidate candidate(path, claim->content());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (const int file = candidate.put(path); file >= 0) {
      claim->begin(file);
      return claim;
    }
    const auto standing = read_claim(path);
    const int64_t now = candidate.now();
    if (standing && !is_void(*standing, now)) return nullptr;
    if (standing) remove_void(path, *standing, now);
  }
  return nullptr;
}

Claim::Claim(fs::path path, Owner owner)
    : path_(std::move(path)),
      owner_(std::move(owner)),
      since_(std::time(nullptr)),
      interrupt_(path_, owner_.token()) {}

void Claim::begin(int descriptor) {
  descriptor_ = descriptor;
  // Signals are for the thread that works.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  heart_ = std::thread([this] { beat(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Claim::~Claim() {
  if (descriptor_ < 0) return;
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  ended_.notify_all();
  heart_.join();
  ::close(descriptor_);
  if (!lost()) ::unlink(path_.c_str());
}

void Claim::beat() {
  std::unique_lock lock(mutex_);
  // Through the open file: a claim that another owner has put in its place is not renewed.
  while (!ended_.wait_for(lock, kBeat, [this] { return end_; })) {
    const std::string text = content().text();
    // In its place, so that a full disk takes it; the time is what counts.
    [[maybe_unused]] const ssize_t written = ::pwrite(descriptor_, text.data(), text.size(), 0);
    ::futimens(descriptor_, nullptr);
  }
}

ClaimFile Claim::content() const {
  return {.token = owner_.token(), .since = since_, .doing = activity()};
}

bool Claim::lost() const {
  try {
    const auto standing = read_claim(path_);
    return standing && standing->token != owner_.token();
  } catch (const ConfigError&) {
    return true;
  }
}

std::optional<Owner> Claim::holder(const fs::path& target) {
  const auto standing = read_claim(claim_of(target));
  if (!standing) return std::nullopt;
  const auto owner = Owner::parse(standing->token);
  if (!owner) return Owner{.host = "unknown"};
  return life_of(*owner) == Life::kDead ? std::nullopt : owner;
}

void clean_folder(const fs::path& folder) noexcept {
  remove_leftovers(folder, "");
  try {
    std::vector<fs::path> claimed;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
      if (it->path().extension() == kClaimExtension) claimed.push_back(it->path());
    // A claim that can be taken was void; it goes as ours does.
    for (fs::path& path : claimed) Claim::take(path.replace_extension());
  } catch (const std::exception&) {
    // They stay until the next time.
  }
}

}  // namespace wkvq
