#include "core/base/run/run_summary.h"

#include "core/base/run/run_file.h"
#include "tests/support/catch.h"

using namespace wkvq;
using hdf5::Writer;
namespace fs = std::filesystem;

namespace {

/// A sound run file without evaluations, then changed by `change`.
template <class Change>
fs::path run_with(const test::TemporaryFolder& folder, Change&& change) {
  const fs::path path = folder / "run.h5";
  fs::remove(path);
  Writer file(path);
  file.attribute("/", "schema", kRunSchema);
  file.attribute("/", "run_id", "id");
  file.attribute("/", "sweep", "demo");
  file.attribute("/", "status", "done");
  file.attribute("/config", "yaml", "a: 1");
  change(file);
  file.close();
  return path;
}

}  // namespace

TEST_CASE("run summary: the smallest run file is read") {
  const test::TemporaryFolder folder;
  const RunSummary run = read_run(run_with(folder, [](Writer&) {}));
  CHECK(run.run_id == "id");
  CHECK(run.evaluations.empty());
  CHECK(run.cost.empty());
  CHECK(is_complete(run.path));
}

TEST_CASE("run summary: an evaluation may lack what is not known") {
  const test::TemporaryFolder folder;
  const RunSummary run = read_run(run_with(folder, [](Writer& file) {
    file.attribute("/evaluation/ppl", "metric", "perplexity");
    file.attribute("/evaluation/ppl", "value", int64_t{7});
    file.attribute("/evaluation/ppl", "kv_mode", "none");
    file.attribute("/evaluation/ppl", "convention", "");
  }));
  REQUIRE(run.evaluations.size() == 1);
  CHECK(run.evaluations[0].value == 7.0);
  CHECK(std::isnan(run.evaluations[0].stderr_));
  CHECK(run.evaluations[0].n == 0);
}

TEST_CASE("run summary: files that are no sound run files are refused by name") {
  const test::TemporaryFolder folder;
  const auto error = [&](auto change) {
    const fs::path path = run_with(folder, change);
    return test::error_of([&] { read_run(path); });
  };
  const auto contains = [](const std::string& text, const std::string& part) {
    INFO(text);
    return text.find(part) != std::string::npos && text.find("run.h5: ") != std::string::npos;
  };
  CHECK(contains(error([](Writer& f) { f.attribute("/", "schema", "other-2"); }),
                 "schema 'other-2'; expected 'wkvq-run-1'"));
  CHECK(contains(error([](Writer& f) { f.attribute("/", "status", 1.0); }),
                 "attribute 'status' of / has the wrong type; expected text"));
  CHECK(contains(error([](Writer& f) { f.attribute("/config", "yaml", "a: [1"); }),
                 "configuration: not YAML"));
  CHECK(contains(error([](Writer& f) { f.attribute("/evaluation/ppl", "value", 1.0); }),
                 "no attribute 'metric' of /evaluation/ppl"));
  CHECK(contains(error([](Writer& f) {
                   f.attribute("/evaluation/ppl", "metric", "perplexity");
                   f.attribute("/evaluation/ppl", "value", "seven");
                 }),
                 "attribute 'value' of /evaluation/ppl has the wrong type; expected a number"));
  Writer bare(folder / "bare.h5");
  bare.attribute("/", "schema", kRunSchema);
  bare.close();
  REQUIRE_CONFIG_ERROR(read_run(folder / "bare.h5"), "no attribute 'run_id' of /");
}

TEST_CASE("run summary: completeness never throws") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "text.h5", "words");
  CHECK(!is_complete(folder / "text.h5"));
  CHECK(!is_complete(folder / "missing.h5"));
  CHECK(!is_complete(folder.path()));
  CHECK(!is_complete(run_with(folder, [](Writer& f) { f.attribute("/", "status", "running"); })));
  CHECK(!is_complete(run_with(folder, [](Writer& f) { f.attribute("/", "schema", "x"); })));
}
