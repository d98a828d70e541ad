#include <sys/mount.h>

#include <algorithm>
#include <regex>

#include "core/base/files/temporary_file.h"
#include "core/base/run/claim.h"
#include "core/base/run/run_file.h"
#include "core/base/run/run_state.h"
#include "core/device/torch_headers.h"
#include "experiments/run/learned_files.h"
#include "experiments/run/run_queue.h"
#include "tests/support/process.h"

using namespace wkvq;
namespace fs = std::filesystem;
using Catch::Matchers::Contains;

namespace {

const RunIdentity kIdentity{"id", "demo", "name: demo\n"};

/// A sweep over the embedded model with one run a value of `bits`.
class Sweep {
 public:
  explicit Sweep(const std::string& bits) {
    test::write_file(
        folder_ / "s.yaml",
        fmt::format("name: s\nmodel: {{path: {}}}\nmethod: {{name: rtn}}\nevaluate:\n"
                    "  - {{task: perplexity, dataset: {{name: self, samples: 2, length: 48}}}}\n"
                    "sweep: {{method.kv.bits: [{}]}}\n",
                    test::source("datasets/mini").string(), bits));
  }
  fs::path operator/(const std::string& name) const { return folder_ / name; }

  std::string command(const std::string& verb = "run", const std::string& results = "r") const {
    return fmt::format("OMP_NUM_THREADS=1 exec {} {} {} --results {}", test::wkvq_binary(), verb,
                       (folder_ / "s.yaml").string(), (folder_ / results).string());
  }
  test::Process start(const std::string& name, const std::string& command) const {
    return {folder_.path(), name, command};
  }
  /// Runs and returns the exit code.
  int run() const { return start("run", command()).wait(); }
  std::string out() const { return test::read_text(folder_ / "run.out"); }
  std::string err() const { return test::read_text(folder_ / "run.err"); }
  std::string plan() const {
    start("plan", command("plan")).wait();
    return test::read_text(folder_ / "plan.out");
  }
  /// Everything in the folder of the sweep.
  std::vector<fs::path> files() const {
    std::vector<fs::path> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder_ / "r/s", none))
      found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
  }
  bool has(const std::string& extension) const {
    const auto all = files();
    return std::any_of(all.begin(), all.end(),
                       [&](const fs::path& path) { return path.extension() == extension; });
  }

 private:
  test::TemporaryFolder folder_;
};

int64_t number_before(const std::string& text, const std::string& words) {
  std::smatch match;
  return std::regex_search(text, match, std::regex("(\\d+) " + words)) ? std::stoll(match[1]) : 0;
}

std::string foreign_token() {
  Owner owner = Owner::self();
  owner.machine ^= 1;  // another container, with the same number of the process
  return owner.token();
}

RunQueue queue_of(const std::vector<fs::path>& files,
                  std::function<void(const std::string&)> told) {
  return {files, run_states(files), false, std::move(told)};
}

/// Changes one bit in the middle of a file.
void damage(const fs::path& path) {
  std::string bytes = test::read_text(path);
  REQUIRE(!bytes.empty());
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
  test::write_file(path, bytes);
}

}  // namespace

TEST_CASE("shared folder: two processes share the runs of one sweep, none is done twice") {
  const Sweep sweep("16, 8, 5, 4, 3, 2");
  const bool locks = GENERATE(true, false);
  const std::string command = (locks ? "" : "HDF5_USE_FILE_LOCKING=FALSE ") + sweep.command();
  test::Process first = sweep.start("first", command);
  test::Process second = sweep.start("second", command);
  CHECK(first.wait() == 0);
  CHECK(second.wait() == 0);
  INFO(first.out() << second.out() << first.err() << second.err());
  CHECK(number_before(first.out(), "done now") + number_before(second.out(), "done now") == 6);
  for (const std::string& out : {first.out(), second.out()}) {
    CHECK(number_before(out, "done now") + number_before(out, "done before") +
              number_before(out, "done by other processes") ==
          6);
    CHECK_THAT(out, Contains("0 failed"));
  }
  REQUIRE(sweep.files().size() == 6);
  for (const RunState& state : run_states(sweep.files())) CHECK(state.status == RunStatus::kDone);
}

TEST_CASE("shared folder: a run that another container has claimed is waited for") {
  const test::TemporaryFolder folder;
  const fs::path theirs = folder / "a.h5", ours = folder / "b.h5";
  test::write_file(folder / "a.h5.claim", foreign_token() + "\n");
  std::vector<std::string> told;
  RunQueue queue = queue_of({theirs, ours}, [&](const std::string& line) {
    told.push_back(line);
    // The other process is done just now.
    RunFileWriter(theirs, kIdentity).finish();
    fs::remove(folder / "a.h5.claim");
  });
  const auto first = queue.next();
  CHECK(first->index == 1);
  CHECK(first->kind == TurnKind::kOurs);
  CHECK(fs::exists(folder / "b.h5.claim"));
  const auto second = queue.next();
  CHECK(second->index == 0);
  CHECK(second->kind == TurnKind::kDoneElsewhere);
  CHECK(!queue.next());
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0], Contains("a (host") && Contains(fmt::format("process {}", getpid())));
  CHECK(!fs::exists(folder / "b.h5.claim"));
}

TEST_CASE("shared folder: silent claims are void, failures of others are not tried again") {
  const test::TemporaryFolder folder;
  const fs::path file = folder / "a.h5";
  test::write_file(folder / "a.h5.claim", foreign_token() + "\n");
  fs::last_write_time(folder / "a.h5.claim", fs::file_time_type::clock::now() - 2 * kSilence);
  {
    RunQueue queue = queue_of({file}, {});
    CHECK(queue.next()->kind == TurnKind::kOurs);
    CHECK(!queue.taken_over());
    // Silent for too long ourselves: another process has the run now.
    test::write_file(folder / "a.h5.claim", foreign_token() + "\n");
    CHECK(queue.taken_over());
    RunFileWriter(file, kIdentity).fail("no memory");
    fs::remove(folder / "a.h5.claim");
    const auto turn = queue.next();
    CHECK(turn->kind == TurnKind::kFailedElsewhere);
    CHECK(turn->why == "no memory");
    CHECK(!queue.next());
  }
  // A command that begins afterwards tries it once more.
  CHECK(queue_of({file}, {}).next()->kind == TurnKind::kOurs);
}

TEST_CASE("shared folder: SIGTERM and Ctrl-C end with one line, leave no claim and no file") {
  const int signal = GENERATE(SIGTERM, SIGINT);
  const Sweep sweep("16, 8, 5, 4, 3, 2");
  test::Process process = sweep.start("run", sweep.command());
  while (!process.ended() && !sweep.has(".claim")) {
  }
  process.signal(signal);
  CHECK(process.wait() == 128 + signal);
  const std::string said = sweep.err();
  INFO(said);
  CHECK_THAT(said, Contains("wkvq: stopped") && Contains("the same command goes on"));
  size_t done = 0;
  for (const fs::path& path : sweep.files()) {
    CHECK(path.extension() == ".h5");
    done += run_state(path).status == RunStatus::kDone;
  }
  REQUIRE(sweep.run() == 0);
  CHECK(number_before(sweep.out(), "done before") == static_cast<int64_t>(done));
}

TEST_CASE("shared folder: a disk that takes no results stops the sweep, exit code 1, no crash") {
  const Sweep sweep("16, 3");
  REQUIRE(sweep.run() == 0);  // text is sampled
  for (const fs::path& path : sweep.files()) fs::remove(path);
  // 4 blocks of 512 bytes, less than a run file.
  test::Process limited = sweep.start("limited", "ulimit -f 4; " + sweep.command());
  CHECK(limited.wait() == 1);
  INFO(limited.out() << limited.err());
  CHECK_THAT(limited.out(), Contains("cannot be written: File too large") && Contains("1 failed") &&
                                Contains("stopped with 1 runs left"));
  CHECK(sweep.files().empty());
  CHECK(sweep.run() == 0);
  CHECK_THAT(sweep.out(), Contains("2 done now"));
}

TEST_CASE("shared folder: a full file system is told, what was written stays whole") {
  const Sweep sweep("16, 8, 4, 3, 2");
  fs::create_directory(sweep / "disk");
  if (mount("wkvq", (sweep / "disk").c_str(), "tmpfs", 0, "size=200k") != 0) {
    std::cout << "skipped: no permission to mount a small file system\n";
    return;
  }
  // Beside it not even one run fits.
  test::write_file(sweep / "disk/filler", std::string(120 << 10, 'x'));
  test::Process full = sweep.start("full", sweep.command("run", "disk/r"));
  const int code = full.wait();
  std::vector<fs::path> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(sweep / "disk/r/s", none))
    files.push_back(entry.path());
  const auto states = run_states(files);
  INFO(full.out() << full.err());
  CHECK(code == 1);
  CHECK_THAT(full.out() + full.err(), Contains("No space left on device"));
  for (const RunState& state : states) CHECK(state.status == RunStatus::kDone);
  fs::remove(sweep / "disk/filler");
  umount2((sweep / "disk").c_str(), MNT_DETACH);
}

TEST_CASE("shared folder: output that cannot be written is exit code 1") {
  const Sweep sweep("16");
  REQUIRE(sweep.run() == 0);
  const std::string file = sweep.files().at(0).string();
  for (const std::string& arguments : {std::string("list methods"), "show " + file,
                                       "report " + file, "report --format csv " + file}) {
    test::Process process =
        sweep.start("full", fmt::format("{} {} >/dev/full", test::wkvq_binary(), arguments));
    INFO(arguments);
    CHECK(process.wait() == 1);
    CHECK_THAT(process.err(), Contains("standard output cannot be written: "));
  }
  test::Process plan = sweep.start("full", sweep.command("plan") + " >/dev/full");
  CHECK(plan.wait() == 1);
}

TEST_CASE("shared folder: a damaged run file is seen by plan and done again by run") {
  const Sweep sweep("16, 3");
  REQUIRE(sweep.run() == 0);
  const fs::path file = sweep.files().at(0);
  std::vector<std::function<void()>> damages{
      [&] { damage(file); }, [&] { fs::resize_file(file, fs::file_size(file) - 7); },
      [&] { test::write_file(file, ""); }};
  if (const auto cases = test::shared("cases/damaged_files"); !cases.empty())
    for (const char* name : {"hdf5_segv.h5", "hdf5_hang.h5"})
      damages.push_back(
          [&, path = cases / name] { test::write_file(file, test::read_text(path)); });
  for (const auto& how : damages) {
    how();
    CHECK_THAT(sweep.plan(), Contains("damaged") && Contains("1 done"));
    REQUIRE(sweep.run() == 0);
    CHECK_THAT(sweep.out(), Contains("1 done now, 1 done before"));
    CHECK_THAT(sweep.err(), Contains("warning") && Contains("the run is done again"));
    CHECK_THAT(sweep.plan(), Contains("2 done"));
  }
}

TEST_CASE("shared folder: damaged files as configuration or calibration are refused") {
  const auto cases = test::shared("cases/damaged_files");
  if (cases.empty()) return;
  const Sweep sweep("16");
  for (const char* name : {"hdf5_segv.h5", "hdf5_hang.h5"}) {
    test::Process process =
        sweep.start("generate", fmt::format("{} generate --config {} --prompt a --max-tokens 1",
                                            test::wkvq_binary(), (cases / name).string()));
    CHECK(process.wait() == 2);
    CHECK_THAT(process.err(), Contains(name));
    CHECK_THAT(test::error_of([&] { run_with_parameters(cases / name, "", 2); }), Contains(name));
  }
}

TEST_CASE("shared folder: a damaged file of trained parameters is set aside") {
  const test::TemporaryFolder folder;
  const fs::path partial = folder / "run.h5.partial";
  const fs::path block = partial / "block_00.safetensors";
  LearnedFiles learned(partial, {});
  const LearnedParameters written{{"q_proj.high", at::arange(12, at::kDouble)}};
  learned.save(0, written);
  REQUIRE(at::equal(learned.load(0)->at("q_proj.high"), written.at("q_proj.high")));
  const auto lost = [&](const std::function<void()>& how) {
    how();
    CHECK(!learned.load(0));
    CHECK(!fs::exists(block));
    CHECK(fs::exists(partial / "block_00.safetensors.damaged"));
    learned.save(0, written);
    CHECK(learned.load(0));
  };
  lost([&] {
    std::string bytes = test::read_text(block);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);  // a bit of a value
    test::write_file(block, bytes);
  });
  lost([&] { fs::resize_file(block, fs::file_size(block) - 1); });
  lost([&] { test::write_file(block, "nothing"); });
}

TEST_CASE("shared folder: a damaged cache of sampled text is set aside and sampled again") {
  const Sweep sweep("16");
  REQUIRE(sweep.run() == 0);
  fs::path cache;
  for (const auto& entry : fs::directory_iterator(sweep / "r/.cache")) cache = entry.path();
  const std::string text = test::read_text(cache);
  std::string changed = text;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  test::write_file(cache, changed);
  REQUIRE(sweep.run() == 0);
  CHECK_THAT(sweep.err(), Contains("the file is set aside, text is sampled again"));
  // The same text, so the same run: nothing was computed from the damaged one.
  CHECK_THAT(sweep.out(), Contains("0 done now, 1 done before"));
  CHECK(test::read_text(cache) == text);
  CHECK(fs::exists(cache.string() + ".damaged"));
}
