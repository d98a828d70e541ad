#include "analysis/tables/markup.h"

#include "analysis/tables/latex_text.h"
#include "tests/support/catch.h"

using namespace wkvq;

TEST_CASE("text of any origin becomes harmless markup") {
  CHECK(escaped("<script>alert('x')&\"y\"</script>") ==
        "&lt;script&gt;alert(&#39;x&#39;)&amp;&quot;y&quot;&lt;/script&gt;");
  CHECK(escaped("7.5 ± 0.1 🙂 שלום") == "7.5 ± 0.1 🙂 שלום");
  // A mark that reverses what follows, a control character, a byte that is no UTF-8.
  CHECK(escaped("a\u202eb\x1b"
                "c\xff") == "a b c?");
}

TEST_CASE("JSON in a script cannot end it") {
  CHECK(script_safe(R"(["</script><!--"])") == R"(["\u003c/script>\u003c!--"])");
}

TEST_CASE("LaTeX: special characters, stars and header lines") {
  CHECK(latex_escaped("50% of $x_1 & {a}^~#\\ a||b<c") ==
        "50\\% of \\$x\\_1 \\& \\{a\\}\\textasciicircum{}\\textasciitilde{}\\#"
        "\\textbackslash{} a$\\Vert$b$<$c");
  const TextTable table{
      {"kv.bits", "kl\nself"}, {{"4", "0.02 ± 0.01**"}, {"2", "-"}, {"3", "-0.5"}}, 1};
  CHECK(latex_text(table, "100 windows.") == R"(% \usepackage{booktabs}
\begin{table}
\centering
\begin{tabular}{lr}
\toprule
 & kl \\
kv.bits & self \\
\midrule
4 & 0.02 $\pm$ 0.01$^{**}$ \\
2 & - \\
3 & $-$0.5 \\
\bottomrule
\end{tabular}
\caption{100 windows.}
\end{table}
)");
}
