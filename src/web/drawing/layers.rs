//! A small layered layout: ranks by longest path, order by barycentre, places by least squares. Stable: the same graph
//! is drawn the same, and a graph that grows at its end keeps its beginning.

/// Which way the graph reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Right,
    Down,
}

/// Width and height of a node, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    pub width: f64,
    pub height: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

/// Room between ranks and between the nodes of one rank.
#[derive(Clone, Copy, Debug)]
pub struct Gaps {
    pub rank: f64,
    pub node: f64,
}

/// Where everything goes: the top left corner of each node, and the points that each edge passes.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    pub corners: Vec<Point>,
    pub routes: Vec<Vec<Point>>,
    pub width: f64,
    pub height: f64,
}

/// Places the nodes. Edges are pairs of indices into `sizes`; an edge that closes a circle is laid out backwards.
pub fn place(sizes: &[Size], edges: &[(usize, usize)], direction: Direction, gaps: Gaps) -> Placement {
    let forward = without_circles(sizes.len(), edges);
    let ranks = longest_paths(sizes.len(), &forward);
    let mut grid = Grid::new(sizes, &forward, &ranks, direction);
    grid.order();
    let across = grid.settle(gaps.node);
    grid.placement(edges, &forward, &across, direction, gaps.rank)
}

/// The edges with those turned round that would close a circle; loops become edges to nowhere (`None`).
fn without_circles(count: usize, edges: &[(usize, usize)]) -> Vec<Option<(usize, usize)>> {
    let mut after = vec![Vec::new(); count];
    for (number, &(from, to)) in edges.iter().enumerate() {
        if from != to {
            after[from].push((number, to));
        }
    }
    let mut forward: Vec<_> = edges.iter().map(|&(from, to)| (from != to).then_some((from, to))).collect();
    // 0 not seen, 1 on the way down, 2 left behind
    let mut seen = vec![0_u8; count];
    for start in 0..count {
        if seen[start] != 0 {
            continue;
        }
        seen[start] = 1;
        let mut way = vec![(start, 0)];
        while let Some((node, next)) = way.last_mut() {
            let Some(&(number, to)) = after[*node].get(*next) else {
                seen[*node] = 2;
                way.pop();
                continue;
            };
            *next += 1;
            match seen[to] {
                0 => {
                    seen[to] = 1;
                    way.push((to, 0));
                }
                1 => forward[number] = Some((to, edges[number].0)),
                _ => {}
            }
        }
    }
    forward
}

/// Each node's rank: the length of the longest path that leads to it.
fn longest_paths(count: usize, forward: &[Option<(usize, usize)>]) -> Vec<usize> {
    let mut after = vec![Vec::new(); count];
    let mut waits = vec![0_usize; count];
    for &(from, to) in forward.iter().flatten() {
        after[from].push(to);
        waits[to] += 1;
    }
    let mut ranks = vec![0; count];
    let mut ready: Vec<usize> = (0..count).filter(|&node| waits[node] == 0).collect();
    while let Some(node) = ready.pop() {
        for &to in &after[node] {
            ranks[to] = ranks[to].max(ranks[node] + 1);
            waits[to] -= 1;
            if waits[to] == 0 {
                ready.push(to);
            }
        }
    }
    ranks
}

/// How thick a long edge is where it passes a rank between other nodes.
const PASSAGE: f64 = 12.0;

/// The nodes by rank, with a passage (an invisible cell) wherever an edge crosses a rank.
struct Grid {
    layers: Vec<Vec<usize>>,
    /// Extent across the reading direction, and along it.
    across: Vec<f64>,
    along: Vec<f64>,
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
    /// The cells that each edge passes, first and last included.
    ways: Vec<Vec<usize>>,
}

impl Grid {
    fn new(sizes: &[Size], forward: &[Option<(usize, usize)>], ranks: &[usize], direction: Direction) -> Self {
        let depth = ranks.iter().max().map_or(0, |deepest| deepest + 1);
        let mut grid = Self {
            layers: vec![Vec::new(); depth],
            across: Vec::new(),
            along: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            ways: vec![Vec::new(); forward.len()],
        };
        for (size, &rank) in sizes.iter().zip(ranks) {
            match direction {
                Direction::Right => grid.cell(rank, size.height, size.width),
                Direction::Down => grid.cell(rank, size.width, size.height),
            };
        }
        for (number, edge) in forward.iter().enumerate() {
            let Some((from, to)) = *edge else { continue };
            let mut way = vec![from];
            for rank in ranks[from] + 1..ranks[to] {
                way.push(grid.cell(rank, PASSAGE, 0.0));
            }
            way.push(to);
            for pair in way.windows(2) {
                grid.after[pair[0]].push(pair[1]);
                grid.before[pair[1]].push(pair[0]);
            }
            grid.ways[number] = way;
        }
        grid
    }

    fn cell(&mut self, rank: usize, across: f64, along: f64) -> usize {
        let cell = self.across.len();
        self.across.push(across);
        self.along.push(along);
        self.before.push(Vec::new());
        self.after.push(Vec::new());
        self.layers[rank].push(cell);
        cell
    }

    /// Sweeps down and up a few times, each layer by the mean place of its neighbours; the least tangled order wins.
    fn order(&mut self) {
        let mut best = self.layers.clone();
        let mut least = self.crossings();
        for sweep in 0..8 {
            if least == 0 {
                break;
            }
            let down = sweep % 2 == 0;
            for step in 1..self.layers.len() {
                let at = if down { step } else { self.layers.len() - 1 - step };
                self.sort_layer(at, down);
            }
            let crossings = self.crossings();
            if crossings < least {
                least = crossings;
                best.clone_from(&self.layers);
            }
        }
        self.layers = best;
    }

    fn sort_layer(&mut self, at: usize, down: bool) {
        let neighbours = if down { &self.before } else { &self.after };
        let places = self.places(if down { at - 1 } else { at + 1 });
        let mut keyed: Vec<(f64, usize)> = self.layers[at]
            .iter()
            .enumerate()
            .map(|(place, &cell)| (mean(neighbours[cell].iter().map(|&n| places[n])).unwrap_or(place as f64), cell))
            .collect();
        keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
        self.layers[at] = keyed.into_iter().map(|(_, cell)| cell).collect();
    }

    /// The place of each cell of one layer within it.
    fn places(&self, layer: usize) -> Vec<f64> {
        let mut places = vec![0.0; self.across.len()];
        for (place, &cell) in self.layers[layer].iter().enumerate() {
            places[cell] = place as f64;
        }
        places
    }

    fn crossings(&self) -> usize {
        (1..self.layers.len()).map(|layer| self.crossings_above(layer)).sum()
    }

    fn crossings_above(&self, layer: usize) -> usize {
        let places = self.places(layer - 1);
        let ends: Vec<Vec<f64>> = self.layers[layer]
            .iter()
            .map(|&cell| self.before[cell].iter().map(|&before| places[before]).collect())
            .collect();
        let mut crossed = 0;
        for (right, later) in ends.iter().enumerate() {
            for earlier in &ends[..right] {
                crossed += later.iter().map(|end| earlier.iter().filter(|other| *other > end).count()).sum::<usize>();
            }
        }
        crossed
    }

    /// The centre of each cell across the reading direction: near its neighbours, in order, without overlap.
    fn settle(&self, gap: f64) -> Vec<f64> {
        let mut centre = vec![0.0; self.across.len()];
        for layer in &self.layers {
            let mut edge = 0.0;
            for &cell in layer {
                centre[cell] = edge + self.across[cell] / 2.0;
                edge += self.across[cell] + gap;
            }
        }
        for sweep in 0..10 {
            let down = sweep % 2 == 0;
            let neighbours = if down { &self.before } else { &self.after };
            for step in 0..self.layers.len() {
                let layer = &self.layers[if down { step } else { self.layers.len() - 1 - step }];
                let wish = |cell: usize| mean(neighbours[cell].iter().map(|&n| centre[n])).unwrap_or(centre[cell]);
                let wishes: Vec<f64> = layer.iter().map(|&cell| wish(cell)).collect();
                for (&cell, place) in layer.iter().zip(self.fit(layer, &wishes, gap)) {
                    centre[cell] = place;
                }
            }
        }
        centre
    }

    /// The places nearest to the wishes that keep order and distance (isotonic regression by pooling).
    fn fit(&self, layer: &[usize], wishes: &[f64], gap: f64) -> Vec<f64> {
        let mut offset = 0.0;
        let mut offsets = Vec::with_capacity(layer.len());
        // Pools of neighbours that touch: sum of their wishes, and how many they are.
        let mut pools: Vec<(f64, usize)> = Vec::new();
        for (place, &cell) in layer.iter().enumerate() {
            if let Some(&before) = place.checked_sub(1).and_then(|before| layer.get(before)) {
                offset += (self.across[before] + self.across[cell]) / 2.0 + gap;
            }
            offsets.push(offset);
            let mut pool = (wishes[place] - offset, 1);
            while let Some(&(sum, many)) = pools.last() {
                if sum / (many as f64) <= pool.0 / (pool.1 as f64) {
                    break;
                }
                pool = (pool.0 + sum, pool.1 + many);
                pools.pop();
            }
            pools.push(pool);
        }
        let bases = pools.iter().flat_map(|&(sum, many)| std::iter::repeat_n(sum / many as f64, many));
        bases.zip(offsets).map(|(base, offset)| base + offset).collect()
    }

    fn placement(
        &self,
        edges: &[(usize, usize)],
        forward: &[Option<(usize, usize)>],
        centre: &[f64],
        direction: Direction,
        gap: f64,
    ) -> Placement {
        let nodes = self.across.len() - self.ways.iter().map(|way| way.len().saturating_sub(2)).sum::<usize>();
        let top = (0..centre.len()).map(|cell| centre[cell] - self.across[cell] / 2.0).fold(f64::INFINITY, f64::min);
        let bottom = (0..centre.len()).map(|cell| centre[cell] + self.across[cell] / 2.0).fold(0.0, f64::max);
        let (starts, ends) = self.bands(gap);
        let turn = |along: f64, across: f64| match direction {
            Direction::Right => Point { x: along, y: across - top },
            Direction::Down => Point { x: across - top, y: along },
        };
        let corners = (0..nodes)
            .map(|cell| {
                turn(
                    starts[cell] + (ends[cell] - starts[cell] - self.along[cell]) / 2.0,
                    centre[cell] - self.across[cell] / 2.0,
                )
            })
            .collect();
        let route = |way: &Vec<usize>| -> Vec<Point> {
            let mut points = Vec::with_capacity(way.len() * 3);
            for (place, &cell) in way.iter().enumerate() {
                let slack = if cell < nodes { (ends[cell] - starts[cell] - self.along[cell]) / 2.0 } else { 0.0 };
                if place > 0 {
                    points.push(turn(starts[cell], centre[cell]));
                }
                if slack > 0.0 {
                    points.push(turn(if place > 0 { starts[cell] + slack } else { ends[cell] - slack }, centre[cell]));
                }
                if place + 1 < way.len() {
                    points.push(turn(ends[cell], centre[cell]));
                }
            }
            points
        };
        let mut routes: Vec<Vec<Point>> = self.ways.iter().map(route).collect();
        for (number, points) in routes.iter_mut().enumerate() {
            if forward[number].is_some_and(|edge| edge != edges[number]) {
                points.reverse();
            }
        }
        let length = ends.iter().copied().fold(0.0, f64::max);
        let breadth = if centre.is_empty() { 0.0 } else { bottom - top };
        match direction {
            Direction::Right => Placement { corners, routes, width: length, height: breadth },
            Direction::Down => Placement { corners, routes, width: breadth, height: length },
        }
    }

    /// Where each cell's rank begins and ends along the reading direction.
    fn bands(&self, gap: f64) -> (Vec<f64>, Vec<f64>) {
        let mut starts = vec![0.0; self.across.len()];
        let mut ends = vec![0.0; self.across.len()];
        let mut at = 0.0;
        for layer in &self.layers {
            let thick = layer.iter().map(|&cell| self.along[cell]).fold(0.0, f64::max);
            for &cell in layer {
                starts[cell] = at;
                ends[cell] = at + thick;
            }
            at += thick + gap;
        }
        (starts, ends)
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, many) = values.fold((0.0, 0_u32), |(sum, many), value| (sum + value, many + 1));
    (many > 0).then(|| sum / f64::from(many))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    const SIZE: Size = Size { width: 100.0, height: 40.0 };
    const GAPS: Gaps = Gaps { rank: 30.0, node: 10.0 };

    fn drawn(count: usize, edges: &[(usize, usize)], direction: Direction) -> Placement {
        place(&vec![SIZE; count], edges, direction, GAPS)
    }

    fn overlapping(placement: &Placement) -> Option<(usize, usize)> {
        let corners = &placement.corners;
        let apart =
            |a: Point, b: Point| (a.x - b.x).abs() >= SIZE.width - 0.01 || (a.y - b.y).abs() >= SIZE.height - 0.01;
        (0..corners.len()).flat_map(|a| (0..a).map(move |b| (a, b))).find(|&(a, b)| !apart(corners[a], corners[b]))
    }

    /// A few fans of five, one after the other, with some edges that skip a rank.
    fn fans(count: usize) -> Vec<(usize, usize)> {
        (5..count).flat_map(|node| [(node - 5, node), (node.saturating_sub(13), node)]).collect()
    }

    #[test]
    fn nodes_never_overlap_and_edges_go_forward() {
        let edges = fans(60);
        for direction in [Direction::Right, Direction::Down] {
            let placement = drawn(60, &edges, direction);
            assert_eq!(overlapping(&placement), None);
            for route in &placement.routes {
                for pair in route.windows(2) {
                    match direction {
                        Direction::Right => assert!(pair[0].x <= pair[1].x),
                        Direction::Down => assert!(pair[0].y <= pair[1].y),
                    }
                }
            }
        }
    }

    #[test]
    fn everything_lies_within_the_drawing() {
        let placement = drawn(30, &fans(30), Direction::Right);
        for corner in &placement.corners {
            assert!(corner.x >= -0.01 && corner.x + SIZE.width <= placement.width + 0.01);
            assert!(corner.y >= -0.01 && corner.y + SIZE.height <= placement.height + 0.01);
        }
    }

    #[test]
    fn a_fan_in_stands_in_the_middle_of_its_fan() {
        let placement = drawn(4, &[(0, 3), (1, 3), (2, 3)], Direction::Right);
        assert!((placement.corners[3].y - placement.corners[1].y).abs() < 0.5);
        assert!(placement.corners[3].x > placement.corners[1].x);
    }

    #[test]
    fn a_circle_is_drawn_and_not_followed_for_ever() {
        let placement = drawn(3, &[(0, 1), (1, 2), (2, 0), (1, 1)], Direction::Right);
        assert_eq!(overlapping(&placement), None);
        let back = &placement.routes[2];
        assert!(back.first().is_some_and(|from| back.last().is_some_and(|to| from.x > to.x)));
        assert!(placement.routes[3].is_empty());
    }

    #[test]
    fn nothing_at_all_is_an_empty_drawing() {
        let placement = drawn(0, &[], Direction::Right);
        assert_eq!((placement.width, placement.height), (0.0, 0.0));
    }

    #[test]
    fn two_hundred_nodes_are_quick_and_the_same_each_time() {
        let edges = fans(200);
        let began = Instant::now();
        let placement = drawn(200, &edges, Direction::Right);
        assert!(began.elapsed() < Duration::from_secs(1), "took {:?}", began.elapsed());
        assert_eq!(overlapping(&placement), None);
        assert_eq!(placement, drawn(200, &edges, Direction::Right));
    }
}
