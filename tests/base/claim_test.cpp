#include "core/base/run/claim.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "core/base/files/temporary_file.h"
#include "tests/support/catch.h"

using namespace wkvq;
namespace fs = std::filesystem;

namespace {

std::string read_token(const fs::path& claim) {
  std::ifstream file(claim);
  std::string token;
  std::getline(file, token);
  return token;
}

/// A process that has ended, as an owner; `reaped`: its parent has asked how.
Owner dead_owner(bool reaped = true) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string token = Owner::self().token();
    _exit(write(ends[1], token.data(), token.size()) == static_cast<ssize_t>(token.size()) ? 0 : 1);
  }
  close(ends[1]);
  char bytes[256];
  const ssize_t count = read(ends[0], bytes, sizeof bytes);
  close(ends[0]);
  siginfo_t ending;
  waitid(P_PID, static_cast<id_t>(child), &ending, reaped ? WEXITED : WEXITED | WNOWAIT);
  REQUIRE(count > 0);
  return Owner::parse(std::string_view(bytes, static_cast<size_t>(count))).value();
}

Owner elsewhere() {
  Owner owner = Owner::self();
  owner.machine ^= 1;  // as in another container: the same number means another process
  return owner;
}

void leave_claim(const fs::path& target, const std::string& content, std::chrono::seconds age) {
  const fs::path claim = target.string() + ".claim";
  test::write_file(claim, content);
  fs::last_write_time(claim, fs::file_time_type::clock::now() - age);
}

size_t entries(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), {}));
}

}  // namespace

TEST_CASE("owner: its token reads back, other text is none") {
  const Owner self = Owner::self();
  const Owner back = Owner::parse(self.token()).value();
  CHECK(back.token() == self.token());
  CHECK(back.process == static_cast<uint64_t>(getpid()));
  CHECK(Owner::self().token() != self.token());
  for (const char* text : {"", "host", "h-1-2-3", "h-1-2-3-4-5", "h-x-2-3-4", "-1-2-3-4",
                           "h-1-2-3-99999999999999999999", "h-1--3-4"})
    CHECK(!Owner::parse(text));
}

TEST_CASE("owner: a process is alive, one that ended is dead, of other places nothing is known") {
  CHECK(life_of(Owner::self()) == Life::kAlive);
  CHECK(life_of(dead_owner()) == Life::kDead);
  // In a container nobody may ask how it ended.
  const Owner left = dead_owner(false);
  CHECK(life_of(left) == Life::kDead);
  waitpid(static_cast<pid_t>(left.process), nullptr, 0);
  CHECK(life_of(elsewhere()) == Life::kUnknown);
  // Our own number, given to an earlier process.
  Owner earlier = Owner::self();
  earlier.start -= 1;
  CHECK(life_of(earlier) == Life::kDead);
}

TEST_CASE("claim: one at a time, given back at the end") {
  const test::TemporaryFolder folder;
  const fs::path target = folder / "run.h5";
  {
    const auto claim = Claim::take(target);
    REQUIRE(claim);
    CHECK(!claim->lost());
    CHECK(entries(folder.path()) == 1);
    CHECK(Claim::holder(target).value().process == static_cast<uint64_t>(getpid()));
    CHECK(!Claim::take(target));
    CHECK(Claim::take(folder / "other.h5"));
  }
  CHECK(entries(folder.path()) == 0);
  CHECK(!Claim::holder(target));
  CHECK(Claim::take(target));
}

TEST_CASE("claim: that of a dead process is void at once") {
  const test::TemporaryFolder folder;
  const fs::path target = folder / "run.h5";
  leave_claim(target, dead_owner().token() + "\n", std::chrono::seconds(0));
  CHECK(!Claim::holder(target));
  const auto claim = Claim::take(target);
  REQUIRE(claim);
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("claim: an owner elsewhere with our process number holds it until it is silent") {
  const test::TemporaryFolder folder;
  const fs::path target = folder / "run.h5";
  const std::string token = elsewhere().token();
  leave_claim(target, token + "\n", kSilence - std::chrono::seconds(60));
  CHECK(!Claim::take(target));
  CHECK(read_token(folder / "run.h5.claim") == token);
  leave_claim(target, token + "\n", kSilence + std::chrono::seconds(60));
  CHECK(Claim::take(target));
  // So do claims that nobody can read.
  leave_claim(target, "", std::chrono::seconds(0));
  CHECK(!Claim::take(target));
  leave_claim(target, "nonsense", 2 * kSilence);
  CHECK(Claim::take(target));
  fs::create_directory(folder / "folder.h5.claim");
  REQUIRE_CONFIG_ERROR(Claim::take(folder / "folder.h5"), "not a claim");
}

TEST_CASE("claim: a folder is cleaned of what the dead left, of nothing else") {
  const test::TemporaryFolder folder;
  const std::string dead = dead_owner().token(), foreign = elsewhere().token();
  leave_claim(folder / "dead.h5", dead + "\n", std::chrono::seconds(0));
  leave_claim(folder / "silent.h5", foreign + "\n", 2 * kSilence);
  leave_claim(folder / "foreign.h5", foreign + "\n", std::chrono::seconds(0));
  test::write_file(folder / ("a.safetensors." + dead + ".tmp"), "half");
  test::write_file(folder / ("a.safetensors." + foreign + ".tmp"), "half");
  test::write_file(folder / "notes.claim.txt", "a user's");
  const auto own = Claim::take(folder / "own.h5");
  clean_folder(folder.path());
  CHECK(entries(folder.path()) == 4);
  for (const std::string& name : {std::string("foreign.h5.claim"), std::string("own.h5.claim"),
                                  "a.safetensors." + foreign + ".tmp"})
    CHECK(fs::exists(folder / name));
  CHECK(!own->lost());
  clean_folder(folder / "missing");
}

TEST_CASE("claim: who was taken over knows it and leaves the new claim alone") {
  const test::TemporaryFolder folder;
  const fs::path target = folder / "run.h5";
  auto claim = Claim::take(target);
  REQUIRE(claim);
  const std::string token = elsewhere().token();
  fs::remove(folder / "run.h5.claim");
  CHECK(!claim->lost());
  test::write_file(folder / "run.h5.claim", token + "\n");
  CHECK(claim->lost());
  claim.reset();
  CHECK(read_token(folder / "run.h5.claim") == token);
}

TEST_CASE("claim: of many processes that want a void one, one gets it") {
  const test::TemporaryFolder folder;
  const fs::path target = folder / "run.h5";
  leave_claim(target, dead_owner().token() + "\n", std::chrono::seconds(0));
  int start[2], answers[2];
  REQUIRE(pipe(start) == 0);
  REQUIRE(pipe(answers) == 0);
  constexpr size_t kProcesses = 8;
  std::vector<pid_t> children;
  for (size_t i = 0; i < kProcesses; ++i) {
    children.push_back(fork());
    if (children.back() != 0) continue;
    close(start[1]);
    char byte = 0;
    while (read(start[0], &byte, 1) > 0) {
    }
    auto claim = Claim::take(target);
    const char answer = claim ? '1' : '0';
    if (write(answers[1], &answer, 1) != 1) _exit(1);
    while (claim) pause();  // held until the end
    _exit(0);
  }
  close(start[1]);
  std::string all;
  for (char byte = 0; all.size() < kProcesses && read(answers[0], &byte, 1) == 1;) all += byte;
  CHECK(std::count(all.begin(), all.end(), '1') == 1);
  CHECK(Claim::holder(target));
  for (const pid_t child : children) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  CHECK(!Claim::holder(target));
  CHECK(Claim::take(target));
}

TEST_CASE("interrupt: claims and temporary files go, one line is said, the code is 128 + signal") {
  const test::TemporaryFolder folder;
  const int signal = GENERATE(SIGINT, SIGTERM);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    // A test program may have been started with interrupts ignored.
    ::signal(signal, SIG_DFL);
    const InterruptHandler handler("what is done is kept");
    const auto claim = Claim::take(folder / "run.h5");
    TemporaryFile half(folder / "run.h5");
    half.write("half", 4);
    const bool there = entries(folder.path()) == 2;
    if (there) raise(signal);
    _exit(9);
  }
  close(ends[1]);
  std::string said;
  for (char byte = 0; read(ends[0], &byte, 1) == 1;) said += byte;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 128 + signal);
  CHECK(said == "what is done is kept\n");
  CHECK(entries(folder.path()) == 0);
}
