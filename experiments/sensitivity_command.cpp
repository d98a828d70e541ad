#include <fmt/ostream.h>

#include <chrono>
#include <ostream>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/progress.h"
#include "core/base/run_file.h"
#include "core/base/run_summary.h"
#include "experiments/commands.h"
#include "experiments/failure.h"
#include "experiments/plan.h"
#include "experiments/results_folder.h"
#include "experiments/runner.h"
#include "experiments/sampled_text_check.h"
#include "experiments/sensitivity.h"

namespace wkvq {

namespace {

/// The one configuration of `file`.
const PlannedRun& only_run(const SweepFile& file) {
  if (file.runs.size() != 1)
    config_error(
        "{}: {} runs; expected one for a sensitivity (take the sweep out, or give its axes one "
        "value by --set 'sweep.PATH=[VALUE]')",
        file.path.string(), file.runs.size());
  return file.runs.front();
}

/// Executes the probes into `writer`; on an error the file says so and the error goes on.
void write_probes(const SensitivityPlan& plan, Session& session, const std::string& id,
                  RunFileWriter& writer) {
  std::optional<Progress> progress;
  auto beat = std::chrono::steady_clock::now();
  try {
    execute_sensitivity(plan, session, writer, [&](int64_t, int64_t total) {
      if (!progress) progress.emplace(id, total);
      progress->advance();
      const auto now = std::chrono::steady_clock::now();
      if (now - beat < std::chrono::seconds(1)) return;
      beat = now;
      writer.heartbeat();
    });
  } catch (const std::exception& error) {
    writer.fail(failure_text(error));
    throw;
  }
  writer.finish();
}

}  // namespace

int sensitivity_command(const SweepOptions& options, std::ostream& out) {
  require_writable(options.results);
  Session session(cache_folder(options.results), options.data);
  session.show_progress(ProgressSink::standard_error());
  const SweepFile file = load_sweep(options.file, options.overrides);
  SensitivityPlan plan = read_sensitivity(only_run(file).config);
  if (!options.device.empty()) {
    plan.run.model.device = options.device;
    for (ProbeSetting& setting : plan.settings) setting.config.model.device = options.device;
  }
  check_sampled_text(plan.run, session);
  check_sensitivity(plan, session);
  const Fingerprints fingerprints = fingerprints_of(plan.run, session);
  std::vector<std::string> identity{plan.canonical_yaml(), fingerprints.model};
  identity.insert(identity.end(), fingerprints.data.begin(), fingerprints.data.end());
  const std::string id = run_id(only_run(file).slug, identity);
  const std::filesystem::path path = options.results / file.name / (id + ".h5");
  if (is_complete(path) && !options.force) {
    fmt::print(out, "done before: {}\n", path.string());
    return 0;
  }
  RunFileWriter writer(path, {id, file.name, plan.canonical_yaml()});
  record_fingerprints(writer, fingerprints);
  write_probes(plan, session, id, writer);
  fmt::print(out, "{} settings of every block probed: {}\n", plan.settings.size(), path.string());
  return 0;
}

}  // namespace wkvq
