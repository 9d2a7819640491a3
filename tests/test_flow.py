"""The way through the layers and back by hand, against modules and autograd."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resviz import spec as registries
from resviz.bench import idiomatic
from resviz.flow import Flow
from resviz.parameters import parameter_count, unflatten
from resviz.spec import RunSpec

every_activation = pytest.mark.parametrize("activation", registries.ACTIVATIONS)
every_network = pytest.mark.parametrize("network", registries.NETWORKS)
every_step_size = pytest.mark.parametrize("step_size", registries.STEP_SIZES)
READS = ("every state", "the last state alone")
# Rounding of sums of some hundred products: what is asked for is 1e-6.
DOUBLE, SINGLE = 1e-10, 1e-4


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """As training has it; more gain nothing on such clouds."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network_of(network="residual", activation="tanh", depth=5, width=4, **others):
    return RunSpec(
        network=network, activation=activation, depth=depth, width=width,
        **{"start": "random", "step_size": "1"} | others,
    )  # fmt: skip


def drawn(spec, n=9, seed=0):
    """Random parameters, points and a derivative for every state: (P,), (n, 2), (L+1, n, 2)."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, dtype=torch.float64, generator=generator)

    return 0.6 * normal(parameter_count(spec)), normal(n, 2), normal(spec.depth + 1, n, 2)


def by_hand(spec, flat, points, given, flow=None):
    """The states, and the gradients in flat and points of Σ given · states."""
    flat, points = flat.clone().requires_grad_(), points.clone().requires_grad_()
    flow = flow or Flow(spec, len(points), points.dtype)
    states = flow(flat, points)
    (states * given).sum().backward()
    return states.detach(), flat.grad, points.grad


def by_modules(spec, flat, points, given):
    """The same by modules and autograd."""
    network = idiomatic.Network(spec, points.dtype).load(flat.numpy())
    points = points.clone().requires_grad_()
    states = torch.stack(network(points))
    (states * given).sum().backward()
    return states.detach(), network.flat_gradient(), points.grad


def apart(found, expected, scale=None):
    """The largest difference, in parts of the largest number that is expected."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    largest = expected.abs().max() if scale is None else scale
    return ((found - expected).abs().max() / (largest or 1)).item()


def layers(spec, flat):
    """Each layer's part of each block, so that none hides behind a larger one."""
    return [part for block in unflatten(spec, flat)[:4] for part in block]


def assert_alike(spec, found, expected, within=DOUBLE):
    """States, gradients in each layer's parameters, and gradients in the points."""
    scale = expected[1].abs().max() if within == SINGLE else None  # rounding is the whole way's
    assert apart(found[0], expected[0]) <= within
    assert found[1].shape == expected[1].shape
    for part, exact in zip(layers(spec, found[1]), layers(spec, expected[1]), strict=True):
        assert apart(part, exact, scale) <= within
    assert apart(found[2], expected[2]) <= within


# Against autograd


@pytest.mark.parametrize("reads", READS)
@pytest.mark.parametrize("width", [2, 4, 8])
@pytest.mark.parametrize("depth", [1, 5])
@every_step_size
@every_activation
@every_network
def test_states_and_gradients_are_those_of_modules_and_autograd(
    network, activation, step_size, depth, width, reads
):
    spec = network_of(network, activation, depth, width, step_size=step_size)
    flat, points, given = drawn(spec, seed=depth + width)
    if reads == "the last state alone":
        given[:-1] = 0
    expected = by_modules(spec, flat, points, given)
    assert expected[1].abs().max() > 1e-3
    assert_alike(spec, by_hand(spec, flat, points, given), expected)


@settings(max_examples=40)
@given(
    spec=st.builds(
        network_of,
        network=st.sampled_from(list(registries.NETWORKS)),
        activation=st.sampled_from(list(registries.ACTIVATIONS)),
        step_size=st.sampled_from(list(registries.STEP_SIZES)),
        depth=st.integers(1, 8),
        width=st.integers(1, 20).map(lambda half: 2 * half),
    ),
    n=st.integers(1, 50),
    seed=st.integers(0, 1000),
)
def test_networks_of_any_shape_are_those_of_modules_and_autograd(spec, n, seed):
    flat, points, given = drawn(spec, n, seed)
    flat /= spec.width**0.5
    expected = by_modules(spec, flat, points, given)
    assert_alike(spec, by_hand(spec, flat, points, given), expected, 1e-8)


@pytest.mark.parametrize("n", [1, 2, 31, 256])
@every_network
def test_any_number_of_points(network, n):
    spec = network_of(network, "gelu")
    args = drawn(spec, n)
    assert_alike(spec, by_hand(spec, *args), by_modules(spec, *args))


@every_network
def test_points_in_one_place_go_one_way_and_pull_together(network):
    spec = network_of(network, "softplus")
    flat, points, given = drawn(spec, 1)
    one = by_hand(spec, flat, points, given)
    many = by_hand(spec, flat, points.expand(7, 2), given.expand(-1, 7, 2))
    assert apart(many[0], one[0].expand(-1, 7, 2)) <= DOUBLE
    assert apart(many[1], 7 * one[1]) <= DOUBLE
    assert apart(many[2], one[2].expand(7, 2)) <= DOUBLE


@every_activation
@every_network
def test_gradients_are_those_of_small_differences(network, activation):
    spec = network_of(network, activation, depth=3)
    flat, points, _ = drawn(spec, 3)

    def states(flat, points):
        return Flow(spec, 3, torch.float64)(flat, points)  # each into memory of its own

    blocks = unflatten(spec, flat)
    way = states(flat, points)[:-1]
    sums = way @ blocks.inner.mT + blocks.inner_bias[:, None]
    assert sums.abs().min() > 1e-4  # no unit of ReLU's near its kink
    assert torch.autograd.gradcheck(states, (flat.requires_grad_(), points.requires_grad_()))


@every_activation
@every_network
def test_any_loss_of_the_states_may_be_had(network, activation):
    """One whose derivatives in the states depend on all of them."""
    spec = network_of(network, activation, depth=4, width=8)
    flat, points, _ = drawn(spec)

    def loss(states):
        reach = states.diff(dim=0).norm(dim=2).log().sum()
        return reach + torch.cdist(states[-1], states[0]).square().mean() + states[2].sin().sum()

    module = idiomatic.Network(spec, torch.float64).load(flat.numpy())
    theirs, ours = points.clone().requires_grad_(), points.clone().requires_grad_()
    loss(torch.stack(module(theirs))).backward()
    loss(Flow(spec, len(points), torch.float64)(flat.requires_grad_(), ours)).backward()
    for part, exact in zip(
        layers(spec, flat.grad), layers(spec, module.flat_gradient()), strict=True
    ):
        assert apart(part, exact) <= DOUBLE
    assert apart(ours.grad, theirs.grad) <= DOUBLE


@pytest.mark.parametrize("wanted", ["flat", "points"])
def test_either_gradient_may_be_had_alone(wanted):
    spec = network_of()
    flat, points, given = drawn(spec)
    inputs = {"flat": flat, "points": points}
    inputs[wanted].requires_grad_()
    (Flow(spec, len(points), torch.float64)(**inputs) * given).sum().backward()
    _, *gradients = by_hand(spec, flat.detach(), points.detach(), given)
    both = dict(zip(inputs, gradients, strict=True))
    assert torch.equal(inputs[wanted].grad, both[wanted])
    assert all(inputs[name].grad is None for name in inputs if name != wanted)


@every_activation
@every_network
def test_float32_is_float64_rounded(network, activation):
    spec = network_of(network, activation, width=8, step_size="1/L")
    args = [part.float() for part in drawn(spec, 64)]
    expected = [part.float() for part in by_modules(spec, *(part.double() for part in args))]
    assert_alike(spec, by_hand(spec, *args), expected, SINGLE)


# Known answers and laws


@pytest.mark.parametrize(("network", "last_alone"), [("residual", False), ("plain", True)])
def test_layers_that_move_all_points_alike(network, last_alone):
    """X_L = X_0 + h Σ b_l of a residual network; of a plain one the last layer's b alone."""
    spec = network_of(network, depth=4, step_size="1/L")
    flat, points = torch.zeros(parameter_count(spec), dtype=torch.float64), drawn(spec, 6)[1]
    unflatten(spec, flat).outer_bias[:] = torch.tensor([[1.0, -2], [0, 3], [5, 0], [4, 4]])
    given = torch.zeros(5, 6, 2, dtype=torch.float64)
    given[-1, :, 0] = 1
    states, of_flat, of_points = by_hand(spec, flat, points, given)
    end = (
        torch.tensor([4.0, 4.0]).expand(6, 2) if last_alone else points + torch.tensor([2.5, 1.25])
    )
    np.testing.assert_allclose(states[-1], end, atol=1e-15)
    slopes = [[0, 0]] * 3 + [[6, 0]] if last_alone else [[1.5, 0]] * 4
    found = unflatten(spec, of_flat)
    np.testing.assert_array_equal(found.outer_bias, slopes)
    assert not found.inner.any()  # hidden behind B = 0
    assert not found.inner_bias.any()
    np.testing.assert_array_equal(of_points, [[0, 0] if last_alone else [1, 0]] * 6)


def test_one_relu_unit_by_hand():
    """X_1 = x + B relu(A x + a) + b, of which one unit is on and one off."""
    spec = network_of(activation="relu", depth=1, width=2)
    # A = [[1, 2], [0, −1]], a = (0, 1), B = [[1, 1], [3, 2]], b = (0, −1), at x = (1, 2).
    flat = torch.tensor([1, 2, 0, -1, 0, 1, 1, 1, 3, 2, 0, -1], dtype=torch.float64)
    points = torch.tensor([[1, 2]], dtype=torch.float64)
    given = torch.tensor([[[0, 0]], [[1, 10]]], dtype=torch.float64)
    states, of_flat, of_points = by_hand(spec, flat, points, given)
    assert states[1].tolist() == [[1 + 5, 2 + 15 - 1]]
    # The first unit is pulled by 1 · 1 + 3 · 10 = 31.
    assert of_flat.tolist() == [31, 62, 0, 0, 31, 0, 5, 0, 50, 0, 1, 10]
    assert of_points.tolist() == [[1 + 31, 10 + 62]]


@pytest.mark.parametrize("network", ["residual", "plain"])
def test_through_matrices_the_gradient_goes_by_their_transposed_product(network):
    """relu(z) − relu(−z) = z, so that a layer of pairs is a matrix M, or I + M."""
    spec = network_of(network, "relu", depth=3)
    _, points, given = drawn(spec)
    given[:-1] = 0
    matrices = drawn(spec, 2, seed=1)[2][:3]
    flat = torch.zeros(parameter_count(spec), dtype=torch.float64)
    blocks = unflatten(spec, flat)
    blocks.inner[:] = torch.cat([torch.eye(2), -torch.eye(2)])
    blocks.outer[:] = torch.cat([matrices, -matrices], dim=2)
    whole = [matrix + (network == "residual") * torch.eye(2) for matrix in matrices]
    states, _, of_points = by_hand(spec, flat, points, given)
    product = whole[2] @ whole[1] @ whole[0]
    assert apart(states[-1], points @ product.T) <= DOUBLE
    assert apart(of_points, given[-1] @ product) <= DOUBLE


@every_network
def test_gradients_add_up_over_points_whose_order_says_nothing(network):
    spec = network_of(network)
    flat, points, given = drawn(spec, 12)
    whole = by_hand(spec, flat, points, given)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    mixed = by_hand(spec, flat, points[order], given[:, order])
    assert apart(mixed[0], whole[0][:, order]) <= DOUBLE
    assert apart(mixed[1], whole[1]) <= DOUBLE
    assert apart(mixed[2], whole[2][order]) <= DOUBLE
    halves = [by_hand(spec, flat, points[k::2], given[:, k::2]) for k in (0, 1)]
    assert apart(halves[0][1] + halves[1][1], whole[1]) <= DOUBLE


@every_network
def test_the_order_of_units_says_nothing(network):
    spec = network_of(network, width=6)
    flat, points, given = drawn(spec)
    order = torch.tensor([3, 0, 5, 1, 4, 2])

    def mixed(vector):
        a, a_bias, b, *others = unflatten(spec, vector)
        parts = a[:, order], a_bias[:, order], b[..., order], *others
        return torch.cat([part.reshape(-1) for part in parts])

    whole = by_hand(spec, flat, points, given)
    found = by_hand(spec, mixed(flat), points, given)
    assert apart(found[0], whole[0]) <= DOUBLE
    assert apart(found[1], mixed(whole[1])) <= DOUBLE
    assert apart(found[2], whole[2]) <= DOUBLE


def test_a_plain_network_knows_no_step_size():
    args = drawn(network_of("plain"))
    ways = [by_hand(network_of("plain", step_size=h), *args) for h in registries.STEP_SIZES]
    for one, other in zip(*ways, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("source", "classes"), [("moons", 2), ("pinwheel", 5), ("text:WORD", 4)])
@every_network
def test_the_head_has_no_part_in_the_states(network, source, classes):
    spec = network_of(network, task="classify", source=source)
    flat, points, given = drawn(spec)
    states, of_flat, of_points = by_hand(spec, flat, points, given)
    assert of_flat.shape == flat.shape
    head = 3 * classes
    assert not of_flat[-head:].any()
    assert_alike(spec, (states, of_flat, of_points), by_modules(spec, flat, points, given))
    matching = replace(spec, task="match")
    without = by_hand(matching, flat[:-head], points, given)
    for found, expected in zip((states, of_flat[:-head], of_points), without, strict=True):
        assert torch.equal(found, expected)


# Numbers at the ends

ENDS = {
    "tanh": [50.0, -50, 19, -19, 5, -5, 0, 400],
    "relu": [0.0, -0.0, 0, 0, 1e-300, -1e-300, 1e6, -1e6],
    "softplus": [20.0, 20.001, 19.999, 35, 800, -35, -800, 0],
    "gelu": [8.0, -8, 40, -40, 0, -0.75, 1e6, -1e6],
}


@pytest.mark.parametrize("number", [torch.float64, torch.float32], ids=str)
@every_activation
@every_network
def test_units_at_their_ends(network, activation, number):
    """Each unit's sum is one of the ends at every point, since A is 0; A has a gradient still."""
    spec = network_of(network, activation, depth=2, width=8)
    flat, points, given = drawn(spec)
    blocks = unflatten(spec, flat)
    blocks.inner[:], blocks.inner_bias[:] = 0, torch.tensor(ENDS[activation])
    args = [part.to(number) for part in (flat, points, given)]
    expected = by_modules(spec, *args)
    assert all(part.isfinite().all() for part in expected)
    assert_alike(spec, by_hand(spec, *args), expected, DOUBLE if number == torch.float64 else 1e-6)


@every_activation
@every_network
def test_sums_that_straddle_the_ends(network, activation):
    spec = network_of(network, activation, depth=2, width=8)
    flat, points, given = drawn(spec, 40)
    unflatten(spec, flat).inner[:] *= 40
    expected = by_modules(spec, flat, points, given)
    assert_alike(spec, by_hand(spec, flat, points, given), expected)


@pytest.mark.parametrize(
    ("activation", "bias", "slope"),
    [
        *(("tanh", bias, 0) for bias in (50.0, -50.0, 1e30)),
        *(("relu", bias, slope) for bias, slope in ((0.0, 0), (1e-30, 1), (-1e-30, 0))),
        *(("softplus", bias, slope) for bias, slope in ((25.0, 1), (1e30, 1), (-1e3, 0))),
        *(("gelu", bias, slope) for bias, slope in ((50.0, 1), (1e30, 1), (-50.0, 0))),
    ],
)
@pytest.mark.parametrize("number", [torch.float64, torch.float32], ids=str)
def test_the_slopes_at_the_ends(activation, bias, slope, number):
    """X_1 = 1 · σ(0 x + a): A's gradient at x = 1 is σ′(a)."""
    spec = network_of("plain", activation, depth=1, width=2)
    flat = torch.tensor([0, 0, 0, 0, bias, bias, 1, 0, 0, 1, 0, 0], dtype=number)
    states, of_flat, _ = by_hand(
        spec, flat, torch.ones(1, 2, dtype=number), torch.ones(2, 1, 2, dtype=number)
    )
    assert of_flat[:6].tolist() == [slope] * 6
    expected = np.sign(bias) if activation == "tanh" else bias * slope
    assert states[1].tolist() == [[pytest.approx(expected, rel=1e-6)] * 2]


LOST = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("lost", LOST)
@every_activation
@every_network
def test_a_particle_that_is_lost_stays_lost_and_takes_no_other_along(network, activation, lost):
    spec = network_of(network, activation)
    flat, points, given = drawn(spec)
    flow = Flow(spec, len(points), torch.float64)
    found = by_hand(spec, flat, points, given, flow)
    points[4, 1] = lost
    states, of_flat, of_points = by_hand(spec, flat, points, given, flow)
    expected = by_modules(spec, flat, points, given)
    torch.testing.assert_close(states, expected[0], equal_nan=True)
    others = [k for k in range(len(points)) if k != 4]
    assert apart(states[:, others], found[0][:, others]) <= DOUBLE
    assert apart(of_points[others], found[2][others]) <= DOUBLE
    if np.isnan(lost):
        assert states[:, 4, 1].isnan().all()
        assert not of_flat.isfinite().all()
    if network == "residual":
        assert not states[:, 4].isfinite().all(dim=1).any()


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("block", ["inner", "inner_bias", "outer", "outer_bias"])
@every_activation
@every_network
def test_a_weight_that_is_lost_shows_and_is_forgotten(network, activation, block, lost):
    """No exception and no warning; and what was lost is not left over in the memory."""
    spec = network_of(network, activation)
    flat, points, given = drawn(spec)
    bad = flat.clone()
    getattr(unflatten(spec, bad), block)[2] = lost
    flow = Flow(spec, len(points), torch.float64)
    states, *gradients = by_hand(spec, bad, points, given, flow)
    expected = by_modules(spec, bad, points, given)
    torch.testing.assert_close(states, expected[0], equal_nan=True)
    if np.isnan(lost):
        assert states[:3].isfinite().all()
        assert states[3:].isnan().all()
        assert not gradients[0].isfinite().all()
        for gradient, exact in zip(gradients, expected[1:], strict=True):
            assert torch.equal(gradient.isnan(), exact.isnan())
    again = by_hand(spec, flat, points, given, flow)
    for found, fresh in zip(again, by_hand(spec, flat, points, given), strict=True):
        assert torch.equal(found, fresh)


# The memory


def test_the_next_way_there_overwrites_the_states():
    spec = network_of()
    flat, points, _ = drawn(spec)
    flow = Flow(spec, len(points), torch.float64)
    first = flow.forward(flat, points)
    kept = first.clone()
    second = flow.forward(flat, points + 1)
    assert first.data_ptr() == second.data_ptr()
    assert torch.equal(first, second)
    assert torch.equal(flow.forward(flat, points), kept)


def test_a_loss_that_needs_states_which_are_overwritten_has_no_gradient():
    spec = network_of()
    flat, points, _ = drawn(spec)
    flow = Flow(spec, len(points), torch.float64)
    loss = flow(flat.requires_grad_(), points).square().sum()
    flow.forward(flat.detach(), points + 1)
    with pytest.raises(RuntimeError, match=r"modified (by an )?inplace"):
        loss.backward()


def test_the_way_back_may_be_gone_twice():
    spec = network_of()
    flat, points, given = drawn(spec)
    inputs = flat.requires_grad_(), points.requires_grad_()
    loss = (Flow(spec, len(points), torch.float64)(*inputs) * given).sum()
    first = torch.autograd.grad(loss, inputs, retain_graph=True)
    kept = [gradient.clone() for gradient in first]
    second = torch.autograd.grad(3 * loss, inputs, retain_graph=True)
    third = torch.autograd.grad(loss, inputs)
    for one, before, thrice, again in zip(first, kept, second, third, strict=True):
        assert torch.equal(one, before)  # not overwritten by what came after
        assert torch.equal(again, before)
        assert apart(thrice, 3 * before) <= DOUBLE


def test_a_way_there_and_back_leaves_what_it_was_given_alone():
    spec = network_of()
    args = drawn(spec)
    flat, points, given = (part.clone() for part in args)
    flow = Flow(spec, len(points), torch.float64)
    flow.forward(flat, points)
    of_flat, of_points = flow.backward(given.mT)
    for part, before in zip((flat, points, given), args, strict=True):
        assert torch.equal(part, before)
    _, *gradients = by_hand(spec, *args)
    assert torch.equal(of_flat, gradients[0])
    assert torch.equal(of_points, gradients[1])


def tensors_of(flow):
    return [value for value in vars(flow).values() if isinstance(value, torch.Tensor)]


def test_two_flows_share_no_memory():
    spec = network_of()
    flat, points, given = drawn(spec)
    other_flat, other_points, other_given = drawn(spec, seed=1)
    one, other = (Flow(spec, len(points), torch.float64) for _ in range(2))
    assert len(tensors_of(one)) > 5
    places = [{t.untyped_storage().data_ptr() for t in tensors_of(flow)} for flow in (one, other)]
    assert not places[0] & places[1]
    expected = by_hand(spec, flat, points, given)
    states = one.forward(flat, points)
    other.forward(other_flat, other_points)
    other.backward(other_given.mT)
    assert torch.equal(states.mT, expected[0])
    for found, exact in zip(one.backward(given.mT), expected[1:], strict=True):
        assert torch.equal(found, exact)


def test_no_block_of_a_flows_memory_lies_in_another():
    """Each is a tensor of its own, so that none is overwritten on the way by another's numbers."""
    for one, other in combinations(tensors_of(Flow(network_of(), 9)), 2):
        assert one.untyped_storage().data_ptr() != other.untyped_storage().data_ptr()


@every_network
def test_every_use_of_a_flow_is_a_first_one(network):
    spec = network_of(network, "gelu")
    flow = Flow(spec, 9, torch.float64)
    for seed in range(4):
        args = drawn(spec, seed=seed)
        for found, fresh in zip(by_hand(spec, *args, flow), by_hand(spec, *args), strict=True):
            assert torch.equal(found, fresh)


# No more than that is promised


@pytest.mark.parametrize("wanted", ["flat", "points"])
def test_second_derivatives_are_refused(wanted):
    spec = network_of()
    flat, points, _ = drawn(spec)
    inputs = {"flat": flat, "points": points}
    inputs[wanted].requires_grad_()
    loss = Flow(spec, len(points), torch.float64)(**inputs).square().sum()
    (gradient,) = torch.autograd.grad(loss, inputs[wanted], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.square().sum().backward()


def test_second_derivatives_of_a_linear_loss_are_refused_too():
    spec = network_of()
    flat, points, given = drawn(spec)
    loss = (Flow(spec, len(points), torch.float64)(flat.requires_grad_(), points) * given).sum()
    (gradient,) = torch.autograd.grad(loss, flat, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        gradient.square().sum().backward()


@pytest.mark.parametrize("n", [2, 8, 10])
def test_another_number_of_points_is_refused(n):
    spec = network_of()
    flat, points, _ = drawn(spec, n)
    with pytest.raises(RuntimeError, match=r"(?i)expand|size"):
        Flow(spec, 9, torch.float64).forward(flat, points)


@pytest.mark.parametrize("wrong", [-1, 1])
def test_a_vector_of_another_length_is_refused(wrong):
    spec = network_of()
    flat = torch.zeros(parameter_count(spec) + wrong, dtype=torch.float64)
    with pytest.raises(RuntimeError, match="split"):
        Flow(spec, 9, torch.float64).forward(flat, torch.zeros(9, 2, dtype=torch.float64))
