#include <cairo.h>

#include <array>
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
seen("flips: " + document.getElementById("flips").textContent);
set("baseline", "");
seen("none: " + differences() + "; " + document.getElementById("flips").textContent);
seen("title: " + document.title + "; errors: " + errors.length);
</script>)js";

/// Runs headless Chromium on `page`; what it prints, and what it logs of the page's scripts.
std::pair<std::string, std::string> in_chromium(const std::filesystem::path& page,
                                                const test::TemporaryFolder& folder,
                                                const std::string& what) {
  test::Process chromium(
      folder.path(), "chromium",
      fmt::format("HOME={0} timeout 100 chromium --headless --no-sandbox --disable-gpu "
                  "--hide-scrollbars --enable-logging=stderr --user-data-dir={0}/profile {1} "
                  "file://{2}",
                  folder.path().string(), what, page.string()));
  CHECK(chromium.wait() == 0);
  return {chromium.out(), chromium.err()};
}

bool no_chromium() {
  if (std::system("command -v chromium >/dev/null") == 0) return false;
  std::cout << "skipped: no chromium\n";
  return true;
}

/// Letters and menus are those of a browser and a font: other ones would be other pictures.
bool other_pictures() {
  if (std::system("chromium --version 2>/dev/null | grep -q 'Chromium 156[.]'") == 0 &&
      std::system("fc-match sans-serif | grep -q DejaVuSans") == 0)
    return false;
  std::cout << "skipped: no Chromium 156 with DejaVu Sans, of which the pictures are\n";
  return true;
}

/// Three runs: losses by window, items, and in the last one a hostile commit and warning.
void three_runs(const std::filesystem::path& folder) {
  const auto items = [](std::vector<int64_t> picked) {
    return [picked](Recorder& recorder) { test::record_items(recorder, {0, 1, 1, 0}, picked); };
  };
  token_run(folder, 16, {{"ppl", "perplexity", "nll", {1, 2, 3, 4, 1, 1, 2, 2}, 7.4, 1}},
            items({0, 1, 0, 0}));
  token_run(folder, 4, {{"ppl", "perplexity", "nll", {1.5, 2, 3, 5, 1, 1.25, 2, 2.25}, 9, 1}},
            items({0, 0, 1, 0}));
  token_run(folder, 2, {{"ppl", "perplexity", "nll", {2, 3, 4, 5, 2, 2, 3, 3.25}, 25, 1}},
            [&](Recorder& recorder) {
              items({1, 0, 1, 0})(recorder);
              const std::string evil = "</script><script>document.title = 'evil'</script>";
              recorder.attribute("/", "git", evil);
              recorder.column("/warnings", "text", std::vector<std::string>{evil});
            });
}

/// The page of three_runs() with texts of its items.
std::string page_text(const test::TemporaryFolder& folder) {
  three_runs(folder / "runs");
  const ItemText item{"Which <img src=x onerror=errors.push(1)>?", {"one", "two"}};
  std::ostringstream out;
  html_command({.paths = {folder / "runs"}}, folder / "page.html", out,
               [&](auto&&...) -> ItemTexts {
                 return {{item, item, item}, ""};
               });
  return test::read_text(folder / "page.html");
}

/// Mean red, green and blue of each square of `kSquare` pixels of a PNG.
constexpr int kSquare = 8;
struct Squares {
  int width = 0, height = 0;  ///< of the picture
  std::vector<std::array<double, 3>> means;
};

Squares squares_of(const std::filesystem::path& path) {
  cairo_surface_t* surface = cairo_image_surface_create_from_png(path.c_str());
  INFO(path.string());
  REQUIRE(cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS);
  Squares squares{
      cairo_image_surface_get_width(surface), cairo_image_surface_get_height(surface), {}};
  const unsigned char* data = cairo_image_surface_get_data(surface);
  const int stride = cairo_image_surface_get_stride(surface);
  for (int y = 0; y + kSquare <= squares.height; y += kSquare)
    for (int x = 0; x + kSquare <= squares.width; x += kSquare) {
      auto& mean = squares.means.emplace_back();
      for (int i = 0; i < kSquare * kSquare; ++i)
        for (size_t c = 0; c < 3; ++c)
          mean[c] +=
              data[(y + i / kSquare) * stride + 4 * (x + i % kSquare) + static_cast<int>(c)] /
              static_cast<double>(kSquare * kSquare);
    }
  cairo_surface_destroy(surface);
  return squares;
}

/// The share of squares in which a colour's mean differs by more than 32 of 255: about a letter
/// more or less. Another rasterizer moves the edges of letters, which changes means by less.
double share_that_differs(const Squares& a, const Squares& b) {
  size_t differ = 0;
  for (size_t i = 0; i < a.means.size(); ++i) {
    bool far = false;
    for (size_t c = 0; c < 3; ++c) far = far || std::abs(a.means[i][c] - b.means[i][c]) > 32;
    differ += far;
  }
  return static_cast<double>(differ) / static_cast<double>(a.means.size());
}

}  // namespace

TEST_CASE("a page in a browser: sorting, filtering, baselines, items that flipped") {
  if (no_chromium()) return;
  const test::TemporaryFolder folder;
  test::write_file(folder / "read.html", page_text(folder) + kReader);
  const auto [page, log] = in_chromium(folder / "read.html", folder, "--dump-dom");
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
        "flips: acc self, kv past1 right to wrong, 0 wrong to right.itemchangequestion and answers"
        "0right to wrongWhich &lt;img src=x onerror=errors.push(1)&gt;?one✓, baselinetworun|"
        "none: none, none, none; Pick a baseline above the table of runs.|"
        "title: wkvq: demo; errors: 0|");
  CHECK(log.find("CONSOLE") == std::string::npos);
}

// tests/golden/page has the pictures that somebody looked at. A test leaves its own ones beside the
// program, to be looked at and copied there after a change that is meant.
TEST_CASE("a page in a browser: light and dark look as the pictures that were looked at") {
  if (no_chromium() || other_pictures()) return;
  const test::TemporaryFolder folder;
  // What ran, and when, is of the machine.
  test::write_file(folder / "page.html",
                   page_text(folder) + "<style>.facts dd{visibility:hidden}</style>");
  const auto shot = [](const std::string& name) {
    return std::filesystem::path(test::wkvq_binary()).parent_path() / ("page_" + name + ".png");
  };
  for (const auto& [name, scheme] : {std::pair{"light", 1}, {"dark", 0}})
    in_chromium(folder / "page.html", folder,
                fmt::format("--window-size=900,2400 --blink-settings=preferredColorScheme={} "
                            "--screenshot={}",
                            scheme, shot(name).string()));
  for (const std::string name : {"light", "dark"}) {
    const Squares seen = squares_of(shot(name));
    const Squares golden = squares_of(test::source("tests/golden/page/" + name + ".png"));
    REQUIRE(seen.width == golden.width);
    REQUIRE(seen.height == golden.height);
    INFO(shot(name).string());
    // All moved by a pixel: 0.0008. Without the last row of runs: 0.0012; the curves: 0.009.
    CHECK(share_that_differs(seen, golden) < 0.001);
  }
}
