#include "analysis/html/html_report.h"

#include <sstream>

#include "analysis/figures/figure_command.h"
#include "analysis/html/flipped_items.h"
#include "analysis/html/paired_data.h"
#include "analysis/read/load_runs.h"
#include "analysis/report/make_report.h"
#include "tests/support/markup_check.h"
#include "tests/support/process.h"
#include "tests/support/token_runs.h"

using namespace wkvq;
using test::token_run;

namespace {

std::string page_of(const ReportOptions& options, const test::TemporaryFolder& folder) {
  std::ostringstream out;
  CHECK(html_command(options, folder / "page.html", out) == 0);
  return test::read_text(folder / "page.html");
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Four windows; the second run loses 0.5, 1, 0.25 and 0.25 more in them.
void two_runs(const std::filesystem::path& folder) {
  token_run(folder, 16, {{"ppl", "perplexity", "nll", {1, 2, 3, 4, 1, 1, 2, 2}, 7.4, 0.5}});
  token_run(folder, 4, {{"ppl", "perplexity", "nll", {1.5, 2, 3, 5, 1, 1.25, 2, 2.25}, 9, 0.6}});
}

}  // namespace

TEST_CASE("base64 as in RFC 4648") {
  for (const auto& [bytes, text] : std::vector<std::pair<std::string, std::string>>{
           {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}})
    CHECK(base64(bytes.data(), bytes.size()) == text);
}

TEST_CASE("a page has what its paired differences need") {
  const test::TemporaryFolder folder;
  two_runs(folder / "runs");
  const Report report = make_report({.paths = {folder / "runs"}});
  const auto data = paired_data(report, 1 << 20);
  REQUIRE(data["groups"].size() == 1);
  CHECK(data["groups"][0]["unit"] == "nats a token");
  CHECK(data["groups"][0]["clusters"] == 4);
  const std::vector<double> weight(4, 2.0);
  CHECK(data["groups"][0]["weight"] == base64(weight.data(), 32));
  // Three degrees of freedom.
  CHECK(data["groups"][0]["critical"][0].get<double>() == Approx(3.182).margin(5e-4));
  REQUIRE(data["entries"].size() == 2);
  const std::vector<float> zeros(4, 0.0F), losses{0.5F, 1, 0.25F, 0.25F};
  CHECK(data["entries"][0][4] == base64(zeros.data(), 16));
  CHECK(data["entries"][1][4] == base64(losses.data(), 16));
  CHECK(data["entries"][1][3] == true);
}

TEST_CASE("clusters are joined where a page would be too large, and the page says so") {
  const test::TemporaryFolder folder;
  const std::vector<float> first(200, 1), second(200, 1.5);
  token_run(folder / "runs", 16, {{"ppl", "perplexity", "nll", first, 2.7, 0.1}});
  token_run(folder / "runs", 4, {{"ppl", "perplexity", "nll", second, 4.5, 0.1}});
  const auto data = paired_data(make_report({.paths = {folder / "runs"}}), 0);
  const int64_t clusters = data["groups"][0]["clusters"];
  CHECK(clusters == 30);
  CHECK(data["entries"][1][4].get<std::string>().size() == 160);
  CHECK(contains(data["notes"][0], "at most 30 clusters"));
}

TEST_CASE("a page stands alone and says what ran") {
  const test::TemporaryFolder folder;
  two_runs(folder / "runs");
  const std::string page = page_of({.paths = {folder / "runs"}}, folder);
  for (const char* part :
       {"<title>wkvq: demo</title>", "<li><bdi>windows of 3 tokens</bdi></li>",
        "<th scope=\"col\" aria-sort=\"none\"><button type=\"button\">kv.bits</button></th>",
        "<td class=\"n\" data-v=\"9\"><bdi>9.00 ± 0.60</bdi></td>", "\"baseline\":0",
        "No finished run trained", "default-src 'none'"})
    CHECK(contains(page, part));
  for (const char* part : {"http://", "https://", "src=", "@import", "url("})
    if (const size_t at = page.find(part); at != std::string::npos)
      CHECK(page.substr(at).starts_with("http://www.w3.org/2000/svg"));
}

TEST_CASE("names that would be markup stay text") {
  const test::TemporaryFolder folder;
  const std::string evil = "</script><img src=x onerror=alert(1)>\"'&";
  RunFileWriter writer(folder / "runs/evil.h5",
                       {evil, evil, "method: {name: rtn, kv: {bits: 4}}\nname: \"\\u202Eevil\"\n"});
  test::record(writer, test::Number{.name = "ppl", .metric = evil, .convention = evil});
  writer.attribute("/", "git", evil);
  writer.column("/warnings", "text", std::vector<std::string>{evil});
  writer.finish();
  const std::string page = page_of({.paths = {folder / "runs"}}, folder);
  CHECK_FALSE(contains(page, "<img"));
  CHECK_FALSE(contains(page, "\u202e"));
  CHECK(contains(page, "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;"));
  size_t scripts = 0;
  for (size_t at = 0; (at = page.find("</script>", at)) != std::string::npos; ++at) ++scripts;
  CHECK(scripts == 2);
}

TEST_CASE("options that a page cannot use, and a baseline that is not there") {
  const test::TemporaryFolder folder;
  two_runs(folder / "runs");
  std::ostringstream out;
  const std::filesystem::path page = folder / "page.html";
  REQUIRE_CONFIG_ERROR(html_command({.paths = {folder / "runs"}, .format = "csv"}, page, out),
                       "do not apply");
  REQUIRE_CONFIG_ERROR(html_command({.paths = {folder / "runs"}, .baseline = "kv9"}, page, out),
                       "'kv9'");
  CHECK_FALSE(std::filesystem::exists(page));
}

TEST_CASE("wkvq figure: a file, the list, and what cannot be drawn") {
  const test::TemporaryFolder folder;
  two_runs(folder / "runs");
  std::ostringstream out;
  CHECK(figure_command({"position", {folder / "runs"}, folder / "x.svg", false}, out) == 0);
  CHECK(out.str() == (folder / "x.svg").string() + ": 1 panels of 2 runs\n");
  const std::string svg = test::read_text(folder / "x.svg");
  CHECK(test::xml_error(svg) == "");
  CHECK(contains(svg, "NLL (nats a token)"));
  out.str("");
  CHECK(figure_command({.list = true}, out) == 0);
  CHECK(contains(out.str(), "pareto    Size against loss"));
  REQUIRE_CONFIG_ERROR(
      figure_command({"training", {folder / "runs"}, folder / "x.svg", false}, out),
      "No finished run trained");
  for (const char* name : {"x.pdf", "x.png"})
    CHECK(figure_command({"position", {folder / "runs"}, folder / name, false}, out) == 0);
  REQUIRE_CONFIG_ERROR(
      figure_command({"position", {folder / "runs"}, folder / "x.jpg", false}, out), "*.svg");
  REQUIRE_CONFIG_ERROR(
      figure_command({"position", {folder / "runs"}, folder / "none/x.png", false}, out),
      "none/x.png: cannot be written");
}

/// Four items; the second run loses item 1 and gains item 2.
void two_runs_of_items(const std::filesystem::path& folder) {
  token_run(folder, 16, {}, [](Recorder& r) { test::record_items(r, {0, 1, 1, 0}, {0, 1, 0, 0}); });
  token_run(folder, 4, {}, [](Recorder& r) { test::record_items(r, {0, 1, 1, 0}, {0, 0, 1, 0}); });
}

TEST_CASE("items that runs answer differently, with their text where somebody knows it") {
  const test::TemporaryFolder folder;
  two_runs_of_items(folder / "runs");
  const std::vector<RunSummary> runs = load_runs({folder / "runs"});
  const ItemTextSource texts = [](const RunSummary& run, const Evaluation& evaluation,
                                  const std::vector<size_t>& rows, size_t count) -> ItemTexts {
    CHECK(run.run_id == "kv16");
    CHECK(evaluation.name == "acc.self.past");
    CHECK(rows == std::vector<size_t>{1, 2});
    CHECK(count == 4);
    return {{{std::string(500, 'a') + "é end", {"one", "two"}}, {"", {"three"}}}, ""};
  };
  const auto items = flipped_items(runs, texts);
  REQUIRE(items["groups"].size() == 1);
  const auto& group = items["groups"][0];
  CHECK(group["title"] == "acc self, kv past");
  CHECK(group["absent"] == "");
  REQUIRE(group["items"].size() == 2);
  CHECK(group["items"][0][0] == "1");
  CHECK(group["items"][0][1] == 1);
  // The last 400 bytes, from the beginning of a character on.
  CHECK(group["items"][0][2] == "…" + std::string(394, 'a') + "é end");
  CHECK(group["items"][0][3] == std::vector<std::string>{"one", "two"});
  REQUIRE(items["entries"].size() == 2);
  CHECK(items["entries"][0][2] == "10");
  CHECK(items["entries"][1][2] == "01");
  CHECK(items["entries"][1][3] == std::vector<int64_t>{0, 1});
  CHECK(flipped_items(runs, {})["groups"][0]["absent"] == "The data are not looked for here.");
}

TEST_CASE("texts of items that would be markup stay text") {
  const test::TemporaryFolder folder;
  two_runs_of_items(folder / "runs");
  const std::string evil = "</script><img src=x onerror=alert(1)>\u202e\x1b";
  std::ostringstream out;
  html_command({.paths = {folder / "runs"}}, folder / "page.html", out,
               [&](auto&&...) -> ItemTexts {
                 return {{{evil, {evil}}, {evil, {evil}}}, evil};
               });
  const std::string page = test::read_text(folder / "page.html");
  for (const char* part : {"<img", "\u202e", "\x1b"}) CHECK_FALSE(contains(page, part));
  CHECK(contains(page, "\\u003c/script>\\u003cimg src=x onerror=alert(1)>"));
}
