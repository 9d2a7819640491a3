"""The frame of a lab's page: its style, and where its parts go."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{page_title}</title>
<style>
  html {{ font-size: clamp(16px, 0.45vw + 10.5px, 20px); }}
  body {{ margin: 0 auto; padding: 0.6rem 1.2rem 3rem; max-width: 1640px; color: {ink};
         font: 1rem/1.35 {font}; }}
  h1 {{ font-size: 1.7rem; margin: 0 0 0.2rem; }}
  h2 {{ font-size: 1.45rem; margin: 1.6rem 0 0.2rem; scroll-margin-top: 3rem; }}
  h3 {{ font-size: 1.1rem; margin: 0.9rem 0 0.2rem; }}
  p {{ margin: 0.25rem 0; max-width: 75rem; }}
  code {{ font-size: 0.9rem; overflow-wrap: anywhere; }}
  .quiet {{ color: #5a5e69; font-size: 0.9rem; font-weight: 400; }}
  input[name=at] {{ position: absolute; opacity: 0; }}
  nav {{ position: sticky; top: 0; z-index: 9; background: white; padding: 0.4rem 0;
        border-bottom: 1px solid {rule}; }}
  nav label {{ display: inline-block; padding: 0.15rem 0.7rem; border: 1px solid {rule};
              border-radius: 1rem; cursor: pointer; margin-right: 0.25rem; }}
  .at {{ display: none; }}
  table {{ width: 100%; font-variant-numeric: tabular-nums; }}
  th, td {{ text-align: left; padding: 0.1rem 0.5rem 0.1rem 0; vertical-align: top; }}
  table {{ border-collapse: separate; border-spacing: 0; }}
  thead th {{ border-bottom: 2px solid {ink}; vertical-align: bottom; background: white;
             position: sticky; top: 2.6rem; z-index: 8; }}
  tbody th {{ font-weight: 600; }}
  .claim th {{ padding-top: 0.4rem; }}
  .first > * {{ border-top: 1px solid {rule}; padding-top: 0.3rem; }}
  .numbers td, .numbers th {{ font-size: 0.92rem; line-height: 1.2; padding-bottom: 0.25rem; }}
  .numbers tbody tr > * {{ border-top: 1px solid {rule}; padding-top: 0.2rem; }}
  .numbers small {{ color: #5a5e69; font-size: 0.76rem; white-space: nowrap; display: block; }}
  .numbers .rate small {{ white-space: normal; max-width: 5.6em; }}
  .says, .by {{ white-space: nowrap; }}
  .says b {{ display: inline-block; width: 1.35em; line-height: 1.35em; text-align: center;
            border-radius: 0.2em; color: white; margin-right: 0.3em; }}
  .holds b {{ background: #007a58; }}
  .does-not-hold b {{ background: #c04f00; }}
  .undecided b {{ background: #6b6f7b; }}
  .holds {{ color: #00573f; font-weight: 600; }}
  .does-not-hold {{ color: #8f3b00; font-weight: 600; }}
  .undecided {{ color: #5a5e69; }}
  .says span {{ color: {ink}; font-weight: 400; font-size: 0.9rem; }}
  .nobody {{ padding: 0.4rem 0.8rem; border-left: 4px solid {rule}; }}
  /* What is wider than the window is moved by itself; the page never is. */
  .wide {{ overflow-x: auto; }}
  .picture > div {{ min-width: 56rem; }}
  @media (min-width: 1500px) {{ .wide {{ overflow-x: visible; }} }}
  @media (max-width: 1499px) {{ thead th {{ position: static; }}
    h2 {{ scroll-margin-top: 6rem; }} .says {{ white-space: normal; }}
    .says span {{ display: inline-block; white-space: nowrap; }} }}
  @media (max-width: 720px) {{ body {{ padding: 0.5rem 0.7rem 2rem; }} nav {{ position: static; }}
    nav label {{ margin-bottom: 0.25rem; }} h1 {{ font-size: 1.35rem; }} }}
  {chosen}
  @media print {{ .at {{ display: block; }} nav {{ display: none; }} }}
</style>
<script>{plotly}</script>
</head>
<body>
{radios}
<header>
<h1>{title}</h1>
<p>{made}</p>
<p>{method}</p>
</header>
<nav>{labels}</nav>
<main>
{sections}
</main>
</body>
</html>
"""
# The radio buttons stand before all that they switch, so no script is needed.
CHOSEN = (
    "#at-{k}:checked ~ main .at-{k} {{ display: block; }} "
    "#at-{k}:checked ~ nav label[for=at-{k}] {{ background: {ink}; color: white; }} "
    "#at-{k}:focus-visible ~ nav label[for=at-{k}] {{ outline: 3px solid {focus}; }}"
)
