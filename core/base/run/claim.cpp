#include "core/base/run/claim.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/files/temporary_file.h"

namespace wkvq {
namespace {

namespace fs = std::filesystem;

constexpr int kAttempts = 3;
constexpr const char* kExtension = ".claim";

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator int() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

fs::path claim_of(const fs::path& target) {
  return target.string() + kExtension;
}

/// A claim as it lies in the folder.
struct Standing {
  std::string token;  ///< empty where it is none of ours, or not yet written
  int64_t time = 0;   ///< seconds, by the file system
};

int64_t time_of(const struct stat& file) {
  return file.st_mtim.tv_sec;
}

/// Nothing where there is none.
std::optional<Standing> read_claim(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  struct stat found {};
  if (file < 0 && errno == ENOENT) return std::nullopt;
  if (file < 0 || ::fstat(file, &found) != 0 || !S_ISREG(found.st_mode))
    config_error("{}: not a claim; expected a file of wkvq, or none", path.string());
  std::array<char, 256> bytes;
  const ssize_t count = ::read(file, bytes.data(), bytes.size());
  std::string token(bytes.data(), static_cast<size_t>(std::max<ssize_t>(count, 0)));
  token.resize(std::min(token.find('\n'), token.size()));
  return Standing{std::move(token), time_of(found)};
}

bool is_void(const Standing& claim, int64_t now) {
  const auto owner = Owner::parse(claim.token);
  const Life life = owner ? life_of(*owner) : Life::kUnknown;
  return life == Life::kDead || (life == Life::kUnknown && now - claim.time > kSilence.count());
}

/// Removes a claim that is void, in the turn that "<claim>.break" gives: two that found it void
/// must not remove what the faster one has put in its place.
void remove_void(const fs::path& path, const Standing& seen, int64_t now) {
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

void write_token(int file, const fs::path& path, const std::string& token) {
  const std::string text = token + "\n";
  errno = 0;
  if (::write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    write_failed(path, "cannot be written", errno == 0 ? ENOSPC : errno);
}

/// A file with the token under a name of its own, for link(2).
class Candidate {
 public:
  Candidate(const fs::path& claim, const std::string& token)
      : path_(claim.string() + "." + token + ".tmp"),
        interrupt_(path_),
        file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
    if (file_ < 0) write_failed(claim, "cannot be written", errno);
    try {
      write_token(file_, claim, token);
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
  int put(const fs::path& claim, const std::string& token) {
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
    write_token(made, claim, token);
    return made.release();
  }

 private:
  fs::path path_;
  RemovedOnInterrupt interrupt_;
  Descriptor file_;
};

}  // namespace

std::unique_ptr<Claim> Claim::take(const fs::path& target) {
  const fs::path path = claim_of(target);
  // Before it is made, so that an interrupt just then removes it.
  std::unique_ptr<Claim> claim(new Claim(path, Owner::self()));
  const std::string token = claim->owner_.token();
  Candidate candidate(path, token);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (const int file = candidate.put(path, token); file >= 0) {
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
    : path_(std::move(path)), owner_(std::move(owner)), interrupt_(path_, owner_.token()) {}

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
  while (!ended_.wait_for(lock, kBeat, [this] { return end_; })) ::futimens(descriptor_, nullptr);
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
      if (it->path().extension() == kExtension) claimed.push_back(it->path());
    // A claim that can be taken was void; it goes as ours does.
    for (fs::path& path : claimed) Claim::take(path.replace_extension());
  } catch (const std::exception&) {
    // They stay until the next time.
  }
}

}  // namespace wkvq
