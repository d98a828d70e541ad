#include "core/base/run/run_file.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/files/owner.h"
#include "core/base/files/temporary_file.h"
#include "core/base/run/run_state.h"
#include "core/base/run/run_summary.h"
#include "tests/support/catch.h"

using namespace wkvq;
namespace fs = std::filesystem;

namespace {

const RunIdentity kIdentity{
    "rtn-w4-0123abcd", "demo",
    "name: demo\nmethod:\n  name: rtn\n  kv: {bits: 4, symmetric: false}\n"};

void write_evaluation(Recorder& recorder, const std::string& name, double value) {
  const std::string group = "/evaluation/" + name;
  recorder.attribute(group, "metric", "perplexity");
  recorder.attribute(group, "value", value);
  recorder.attribute(group, "stderr", 0.25);
  recorder.attribute(group, "n", int64_t{2});
  recorder.attribute(group, "kv_mode", "past");
  recorder.attribute(group, "convention", "windows of 4 tokens, BOS in front");
  recorder.attribute(group, "dataset", "self");
  recorder.attribute(group, "task", "perplexity");
  recorder.column(group, "nll", std::vector<float>{1.5F, 2.5F});
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  return names;
}

bool is_timestamp(const AttributeValue& value) {
  const auto& text = std::get<std::string>(value);
  return text.size() == 20 && text[10] == 'T' && text[19] == 'Z';
}

}  // namespace

TEST_CASE("run file: what was recorded is in the summary") {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "sweep/run.h5";
  RunFileWriter writer(path, kIdentity);
  write_evaluation(writer, "ppl", 7.5);
  writer.attribute("/", "git", "abc");
  writer.attribute("/cost", "seconds_calibrate", 1.5);
  writer.attribute("/cost", "peak_bytes_host", int64_t{1000});
  writer.finish();

  const RunSummary run = read_run(path);
  CHECK(run.path == path);
  CHECK(run.run_id == "rtn-w4-0123abcd");
  CHECK(run.sweep == "demo");
  CHECK(run.status == "done");
  CHECK(run.error.empty());
  CHECK(run.config == hdf5::NamedAttributes{{"name", "demo"},
                                            {"method.name", "rtn"},
                                            {"method.kv.bits", int64_t{4}},
                                            {"method.kv.symmetric", "false"}});
  REQUIRE(run.evaluations.size() == 1);
  CHECK(run.evaluations[0].name == "ppl");
  CHECK(run.evaluations[0].metric == "perplexity");
  CHECK(run.evaluations[0].value == 7.5);
  CHECK(run.evaluations[0].stderr_ == 0.25);
  CHECK(run.evaluations[0].n == 2);
  CHECK(run.evaluations[0].kv_mode == "past");
  CHECK(run.evaluations[0].convention == "windows of 4 tokens, BOS in front");
  CHECK(run.evaluations[0].dataset == "self");
  CHECK(run.evaluations[0].task == "perplexity");
  CHECK(run.cost ==
        hdf5::NamedAttributes{{"seconds_calibrate", 1.5}, {"peak_bytes_host", int64_t{1000}}});

  const hdf5::Reader file(path);
  for (const char* name : {"started", "finished"})
    CHECK(is_timestamp(file.attribute("/", name).value()));
  CHECK(std::get<double>(file.attribute("/", "seconds").value()) >= 0);
  CHECK(file.attribute("/config", "method.kv.bits") == AttributeValue(int64_t{4}));
  CHECK(file.attribute("/config", "yaml") == AttributeValue(kIdentity.config_yaml));
}

TEST_CASE("run file: nothing before finish, nothing temporary after") {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "run.h5";
  {
    RunFileWriter writer(path, kIdentity);
    CHECK(names_in(folder.path()).empty());
    CHECK(!is_complete(path));
    writer.finish();
    CHECK(is_complete(path));
  }
  CHECK(names_in(folder.path()) == std::vector<std::string>{"run.h5"});
}

TEST_CASE("run file: an abandoned writer leaves nothing and keeps an older result") {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "run.h5";
  { RunFileWriter writer(path, kIdentity); }
  CHECK(names_in(folder.path()).empty());
  RunFileWriter(path, kIdentity).finish();
  { RunFileWriter writer(path, kIdentity); }
  CHECK(is_complete(path));
  CHECK(names_in(folder.path()).size() == 1);
}

TEST_CASE("run file: a failed run is final, carries its error and is not complete") {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "run.h5";
  RunFileWriter writer(path, kIdentity);
  write_evaluation(writer, "ppl", 7.5);
  writer.fail("NaN in block 3");
  const RunSummary run = read_run(path);
  CHECK(run.status == "failed");
  CHECK(run.error == "NaN in block 3");
  CHECK(run.evaluations.size() == 1);
  CHECK(!is_complete(path));
}

TEST_CASE("run file: a killed writer leaves no result, and its file goes with the next one") {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "run.h5";
  const pid_t child = fork();
  if (child == 0) {
    TemporaryFile half(path);
    half.write("half", 4);
    kill(getpid(), SIGKILL);
  }
  REQUIRE(child > 0);
  waitpid(child, nullptr, 0);
  REQUIRE(names_in(folder.path()).size() == 1);
  const std::string leftover = names_in(folder.path())[0];
  CHECK(leftover.starts_with("run.h5." + Owner::self().host));
  CHECK(!is_complete(path));

  Owner elsewhere = Owner::self();
  elsewhere.machine ^= 1;
  const std::string silent = "run.h5." + elsewhere.token() + ".tmp";
  elsewhere.random ^= 1;
  test::write_file(folder / silent, "another host's, long ago");
  fs::last_write_time(folder / silent, fs::file_time_type::clock::now() - 2 * kSilence);
  const std::vector<std::string> kept{
      "other.h5.host-0000-1-1-0.tmp", "run.h5." + elsewhere.token() + ".tmp",
      "run.h5." + Owner::self().token() + ".tmp", "run.h5.notes.tmp"};
  for (const std::string& name : kept) test::write_file(folder / name, "not for us to remove");
  RunFileWriter(path, kIdentity).finish();
  CHECK(is_complete(path));
  CHECK(!fs::exists(folder / leftover));
  CHECK(!fs::exists(folder / silent));
  for (const std::string& name : kept) CHECK(fs::exists(folder / name));
}

TEST_CASE("run file: a disk that takes no more is told, leaves nothing and keeps an older result") {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "run.h5";
  RunFileWriter(path, kIdentity).finish();
  const FileStamp before = stamp_of(path);
  const pid_t child = fork();
  if (child == 0) {
    // As on a full disk, every byte beyond the first kilobyte is refused.
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1024, 1024};
    setrlimit(RLIMIT_FSIZE, &limit);
    int code = 1;
    try {
      RunFileWriter writer(path, kIdentity);
      write_evaluation(writer, "ppl", 7.5);
      writer.finish();
    } catch (const WriteError& error) {
      code = std::string(error.what()).find("run.h5: cannot be written: File too large") !=
                     std::string::npos
                 ? 7
                 : 2;
    }
    // The exit handlers of HDF5 run, too.
    std::exit(code);
  }
  REQUIRE(child > 0);
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
  CHECK(names_in(folder.path()) == std::vector<std::string>{"run.h5"});
  CHECK(stamp_of(path) == before);
}

TEST_CASE("run file: columns of one group have one length") {
  const test::TemporaryFolder folder;
  RunFileWriter writer(folder / "run.h5", kIdentity);
  writer.column("/evaluation/ppl", "nll", std::vector<float>{1, 2, 3});
  writer.column("/evaluation/ppl", "window", std::vector<int64_t>{0, 1, 2});
  REQUIRE_CONFIG_ERROR(writer.column("/evaluation/ppl", "label", std::vector<std::string>{"a"}),
                       "column 'label' of /evaluation/ppl has 1 rows; its other columns have 3");
  writer.column("/evaluation/acc", "label", std::vector<int64_t>{0});
  writer.array("/evaluation/ppl", "matrix", {{2, 2}, {1, 2, 3, 4}});
}

TEST_CASE("run file: folders that cannot be written stop before any work") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "file", "x");
  REQUIRE_CONFIG_ERROR(RunFileWriter(folder / "file/run.h5", kIdentity), "result folder");
  REQUIRE_CONFIG_ERROR(RunFileWriter("/proc/wkvq/run.h5", kIdentity), "/proc/wkvq: cannot be made");
  REQUIRE_CONFIG_ERROR(RunFileWriter(folder.path(), kIdentity), "is a folder");
  REQUIRE_CONFIG_ERROR(RunFileWriter(folder / "a.h5", {"id", "sweep", "a: [1"}), "not YAML");
  if (geteuid() != 0) {
    fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
    REQUIRE_CONFIG_ERROR(RunFileWriter(folder / "run.h5", kIdentity), "cannot be written");
    fs::permissions(folder.path(), fs::perms::owner_all);
  }
}

TEST_CASE("run file: after finish nothing more is written") {
  const test::TemporaryFolder folder;
  RunFileWriter writer(folder / "run.h5", kIdentity);
  writer.finish();
  CHECK_THROWS(writer.attribute("/", "late", 1.0));
  CHECK(!hdf5::Reader(folder / "run.h5").attribute("/", "late"));
}
