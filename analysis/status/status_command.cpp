#include "analysis/status/status_command.h"

#include <fmt/chrono.h>
#include <fmt/ostream.h>

#include <ctime>

#include "analysis/status/folder_status.h"
#include "analysis/tables/text_table.h"
#include "core/base/run/progress.h"

namespace wkvq {
namespace {

using nlohmann::ordered_json;

constexpr size_t kWidth = 120;

std::string utc(int64_t time) {
  return time == 0 ? "" : fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time_t{time}));
}

ordered_json claims_json(const std::vector<ClaimStatus>& claims) {
  ordered_json list = ordered_json::array();
  for (const ClaimStatus& one : claims)
    list.push_back({{"run", one.name},
                    {"path", one.path.string()},
                    {"host", one.host},
                    {"process", one.process},
                    {"since", one.since == 0 ? ordered_json() : ordered_json(utc(one.since))},
                    {"heartbeat_seconds_ago", one.silent},
                    {"doing", one.doing}});
  return list;
}

ordered_json failures_json(const std::vector<FailedStatus>& failures) {
  ordered_json list = ordered_json::array();
  for (const FailedStatus& one : failures)
    list.push_back({{"run", one.name}, {"path", one.path.string()}, {"error", one.why}});
  return list;
}

void claims_table(const char* title, const std::vector<ClaimStatus>& claims, std::ostream& out) {
  if (claims.empty()) return;
  TextTable table{.headers = {"run", "host", "process", "since (UTC)", "last sign", "doing"},
                  .key_columns = 1};
  for (const ClaimStatus& one : claims)
    table.rows.push_back({one.name, one.host.empty() ? "unknown" : one.host,
                          one.process == 0 ? "unknown" : std::to_string(one.process),
                          one.since == 0 ? "unknown" : utc(one.since),
                          clock_text(static_cast<double>(one.silent)) + " ago",
                          one.doing.empty() ? "-" : one.doing});
  fmt::print(out, "\n{}\n{}", title, terminal_text(table, kWidth));
}

void failures_list(const char* title, const std::vector<FailedStatus>& failures,
                   std::ostream& out) {
  if (failures.empty()) return;
  fmt::print(out, "\n{}\n", title);
  for (const FailedStatus& one : failures) fmt::print(out, "{}: {}\n", one.name, one.why);
}

void print_table(const FolderStatus& status, std::ostream& out) {
  fmt::print(out, "{} running, {} done, {} failed, {} damaged, {} interrupted, {} stale claims\n",
             status.running.size(), status.done.size(), status.failed.size(), status.damaged.size(),
             status.interrupted.size(), status.stale.size());
  claims_table("running", status.running, out);
  failures_list("failed; the next `wkvq run` tries them again", status.failed, out);
  failures_list("damaged; the next `wkvq run` does them again", status.damaged, out);
  if (!status.interrupted.empty()) {
    fmt::print(out, "\ninterrupted, trained blocks are kept\n");
    for (const std::string& name : status.interrupted) fmt::print(out, "{}\n", name);
  }
  claims_table("stale claims; the next process takes them", status.stale, out);
}

}  // namespace

int status_command(const std::filesystem::path& folder, const std::string& format,
                   std::ostream& out) {
  const FolderStatus status = folder_status(folder);
  if (format != "json") {
    print_table(status, out);
    return 0;
  }
  const ordered_json all{{"folder", folder.string()},
                         {"running", claims_json(status.running)},
                         {"done", status.done},
                         {"failed", failures_json(status.failed)},
                         {"damaged", failures_json(status.damaged)},
                         {"interrupted", status.interrupted},
                         {"stale", claims_json(status.stale)}};
  out << all.dump(2, ' ', false, ordered_json::error_handler_t::replace) << '\n';
  return 0;
}

}  // namespace wkvq
