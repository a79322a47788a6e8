import shutil

import pytest

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def quiet(page, address):
    """Hold every test to this: no word in the console, no request to anywhere else."""
    yield
    assert page.said == []
    assert page.asked
    assert all(url.startswith(address) for url in page.asked), page.asked


def test_runs_are_found_and_compared_and_a_report_opens(page):
    page.goto("/")
    boxes = page.get_by_role("checkbox", disabled=False)
    assert boxes.count() == 2
    for number in range(2):
        boxes.nth(number).check()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**/compare?run=*&run=*")
    words = page.inner_text("body")
    assert "model before" in words
    assert "model after" in words
    page.goto("/")
    page.get_by_role("link", name="Report").first.click()
    page.wait_for_url("**/report")
    assert "Does it look" in page.inner_text("h1")
    assert page.locator("svg").count() >= 1


def test_the_keyboard_is_enough(page):
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.type("shapes")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=shapes")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "checkbox":
            page.keyboard.press("Space")
        if page.get_by_role("checkbox", checked=True).count() == 2:
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/compare?run=*&run=*")
    assert "Comparison of" in page.inner_text("h1")


def test_a_file_is_kept_not_opened(page):
    page.goto("/?q=before")
    page.get_by_role("link", name="before?").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="profile.csv").click()
    assert download.value.suggested_filename == "profile.csv"


@pytest.mark.usefixtures("comparison")
def test_a_written_comparison_opens_and_its_figures_are_kept(page):
    page.goto("/?q=before+after")
    page.get_by_role("link", name="Comparison of before, after").click()
    picture = page.locator("figure img")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300
    with page.expect_download() as download:
        page.get_by_role("link", name="figures/map.pdf").click()
    assert download.value.suggested_filename == "map.pdf"
    page.get_by_role("link", name="Open the comparison").click()
    page.wait_for_url("**/comparisons/*/page")
    assert page.inner_text("h1") == "Comparison of before, after"
    assert page.locator("figure svg").count() >= 2
    page.get_by_role("button", name="difference").click()  # its script may run


@pytest.fixture
def half(runs):
    """The folder of a run that is being made; gone afterwards."""
    folder = runs / "half"
    (folder / "analyses").mkdir(parents=True)
    shutil.copy(runs / "before" / "study.yaml", folder)
    yield folder
    shutil.rmtree(folder)


def test_a_run_is_watched_until_it_finishes(page, half, runs):
    page.goto("/?q=half")
    page.get_by_role("link", name="before?").click()
    page.get_by_text("0 finished analyses.").wait_for()
    page.get_by_role("link", name="study.yaml").focus()
    (half / "analyses" / "a.json").touch()
    page.get_by_text("1 finished analysis.").wait_for(timeout=20_000)
    assert page.evaluate("document.activeElement.textContent") == "study.yaml"
    for name in ("report.html", "profile.parquet", "manifest.json"):
        (half / name).write_bytes((runs / "before" / name).read_bytes())
    page.get_by_role("link", name="Open the report").wait_for(timeout=20_000)
    assert page.inner_text("#state") == "Finished"


@pytest.mark.parametrize("width", [320, 480, 1200])
@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.usefixtures("comparison")
def test_no_page_is_wider_than_its_window(page, width, look):
    page.emulate_media(color_scheme=look)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/")
    run = page.get_by_role("link", name="before?").get_attribute("href")
    compared = page.get_by_role("link", name="Comparison of").get_attribute("href")
    for address in ("/", "/?q=none", run, compared):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") == (look == "light")
