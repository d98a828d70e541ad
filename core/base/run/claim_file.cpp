#include "core/base/run/claim_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>

#include "core/base/error.h"
#include "core/base/files/owner.h"
#include "core/base/files/temporary_file.h"
#include "core/base/text/cut_text.h"

namespace wkvq {
namespace {

constexpr size_t kBytes = 512;

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

std::string ClaimFile::text() const {
  std::string content = fmt::format("{}\nsince {}\n", token, since);
  std::string line = cut_text(doing, kBytes - content.size() - 1);
  std::ranges::replace(line, '\n', ' ');
  content += line;
  content.resize(kBytes - 1, ' ');
  return content + '\n';
}

std::optional<ClaimFile> read_claim(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  struct stat found {};
  if (file < 0 && errno == ENOENT) return std::nullopt;
  if (file < 0 || ::fstat(file, &found) != 0 || !S_ISREG(found.st_mode))
    config_error("{}: not a claim; expected a file of wkvq, or none", path.string());
  std::array<char, kBytes> bytes;
  const ssize_t count = ::read(file, bytes.data(), bytes.size());
  std::istringstream lines(
      std::string(bytes.data(), static_cast<size_t>(std::max<ssize_t>(count, 0))));
  ClaimFile claim{.time = found.st_mtim.tv_sec};
  std::string word;
  std::getline(lines, claim.token);
  if (lines >> word >> claim.since && word == "since")
    std::getline(lines >> std::ws, claim.doing);
  else
    claim.since = 0;
  claim.doing.resize(claim.doing.find_last_not_of(' ') + 1);
  return claim;
}

bool is_void(const ClaimFile& claim, int64_t now) {
  const auto owner = Owner::parse(claim.token);
  const Life life = owner ? life_of(*owner) : Life::kUnknown;
  return life == Life::kDead || (life == Life::kUnknown && now - claim.time > kSilence.count());
}

}  // namespace wkvq
