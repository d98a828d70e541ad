#include <sstream>

#include "analysis/html/html_report.h"
#include "tests/support/process.h"
#include "tests/support/token_runs.h"

using namespace wkvq;
using test::token_run;

namespace {

/// What a reader does, and after each step what the page shows, one line each.
constexpr const char* kReader = R"js(<pre id="seen"></pre><script>
const errors = [];
addEventListener("error", event => errors.push(event.message));
const seen = line => { document.getElementById("seen").textContent += line + "|"; };
const rows = () => [...document.querySelectorAll("#runs tbody tr")].filter(row => !row.hidden);
const ids = () => rows().map(row => row.cells[row.cells.length - 1].textContent).join(" ");
const differences = () => rows().map(row =>
  (row.querySelector(".difference") || {textContent: "none"}).textContent).join(", ");
const set = (id, value) => {
  document.getElementById(id).value = value;
  document.getElementById(id).dispatchEvent(new Event("input"));
};
const heads = [...document.querySelectorAll("#runs thead th")];
seen("first: " + ids());
seen(differences());
heads[0].querySelector("button").click();
seen(heads[0].getAttribute("aria-sort") + ": " + ids());
heads[0].querySelector("button").click();
seen(heads[0].getAttribute("aria-sort") + ": " + ids());
set("search", "kv4");
seen("search: " + ids() + "; " + document.getElementById("count").textContent);
document.getElementById("clear").click();
const select = document.querySelector("[data-column]");
select.value = "2";
select.dispatchEvent(new Event("input"));
const points = [...document.querySelectorAll("#position [data-run]:not(.off)")].length;
seen("select: " + ids() + "; points " + points);
document.getElementById("clear").click();
set("baseline", "1");
seen("baseline: " + differences());
set("other", "2");
seen("settings: " + document.querySelector("#differences tbody").textContent);
set("baseline", "");
seen("none: " + differences());
seen("title: " + document.title + "; errors: " + errors.length);
</script>)js";

/// What `page` shows at the end of its scripts, and what chromium logs of them.
std::pair<std::string, std::string> in_chromium(const std::filesystem::path& page,
                                                const test::TemporaryFolder& folder) {
  test::Process chromium(
      folder.path(), "chromium",
      fmt::format("HOME={0} timeout 100 chromium --headless --no-sandbox --disable-gpu "
                  "--enable-logging=stderr --user-data-dir={0}/profile --dump-dom file://{1}",
                  folder.path().string(), page.string()));
  CHECK(chromium.wait() == 0);
  return {chromium.out(), chromium.err()};
}

}  // namespace

TEST_CASE("a page in a browser: sorting, filtering, baselines") {
  if (std::system("command -v chromium >/dev/null") != 0) {
    std::cout << "skipped: no chromium\n";
    return;
  }
  const test::TemporaryFolder folder;
  token_run(folder / "runs", 16, {{"ppl", "perplexity", "nll", {1, 2, 3, 4, 1, 1, 2, 2}, 7.4, 1}});
  token_run(folder / "runs", 4,
            {{"ppl", "perplexity", "nll", {1.5, 2, 3, 5, 1, 1.25, 2, 2.25}, 9, 1}});
  token_run(folder / "runs", 2, {{"ppl", "perplexity", "nll", {2, 3, 4, 5, 2, 2, 3, 3.25}, 25, 1}},
            [](Recorder& recorder) {
              const std::string evil = "</script><script>document.title = 'evil'</script>";
              recorder.attribute("/", "git", evil);
              recorder.column("/warnings", "text", std::vector<std::string>{evil});
            });
  std::ostringstream out;
  html_command({.paths = {folder / "runs"}}, folder / "page.html", out);
  const std::string text = test::read_text(folder / "page.html");
  test::write_file(folder / "read.html", text + kReader);
  const auto [page, log] = in_chromium(folder / "read.html", folder);
  const std::string open = "<pre id=\"seen\">";
  const size_t from = page.find(open) + open.size();
  // Losses by window of two tokens, 4 bits: 0.5, 1, 0.25, 0.25, so 2 / 8 tokens and an error of
  // sqrt(4 / 3 * (0 + 0.25 + 2 * 0.0625)) / 8; 2 bits: 2, 2, 2, 2.25.
  CHECK(page.substr(from, page.find("</pre>", from) - from) ==
        "first: kv16 kv4 kv2|"
        "none, +0.250 ± 0.088, +1.031 ± 0.031 ***|"
        "ascending: kv2 kv4 kv16|"
        "descending: kv16 kv4 kv2|"
        "search: kv4; 1 of 3 runs|"
        "select: kv2; points 2|"
        "baseline: -0.250 ± 0.088, none, +0.78 ± 0.11 **|"
        "settings: method.kv.bits42|"
        "none: none, none, none|"
        "title: wkvq: demo; errors: 0|");
  CHECK(log.find("CONSOLE") == std::string::npos);
}
