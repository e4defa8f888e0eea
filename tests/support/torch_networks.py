"""The networks in PyTorch, against which tests and benchmarks compare."""


def torch_networks(nn, torch):
    """name -> PyTorch module without dropout, written from the papers' layer tables."""
    F = nn.functional

    class Ststnet(nn.Module):
        def __init__(self):
            super().__init__()
            for i, width in ((1, 3), (2, 5), (3, 8)):
                self.add_module(f'conv{i}', nn.Conv2d(3, width, 3, padding=2))
                self.add_module(f'bn{i}', nn.BatchNorm2d(width))
            self.fc = nn.Linear(400, 3)

        def forward(self, x):
            streams = [
                F.max_pool2d(bn(torch.relu(conv(x))), 3, 3, 1)
                for conv, bn in (
                    (self.conv1, self.bn1),
                    (self.conv2, self.bn2),
                    (self.conv3, self.bn3),
                )
            ]
            return self.fc(F.avg_pool2d(torch.cat(streams, 1), 2).flatten(1))

    class Stream(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5, padding=2)

        def forward(self, x):
            return F.max_pool2d(
                torch.relu(self.conv2(F.max_pool2d(torch.relu(self.conv1(x)), 2))), 2
            )

    class Block(nn.Module):
        def __init__(self, channels, width):
            super().__init__()
            for name, size, before in (
                ('one', 1, channels),
                ('three_in', 1, channels),
                ('three', 3, width),
                ('five_in', 1, channels),
                ('five', 5, width),
                ('pool', 1, channels),
            ):
                self.add_module(name, nn.Conv2d(before, width, size, padding=size // 2))

        def forward(self, x):
            r = torch.relu
            return torch.cat(
                [
                    r(self.one(x)),
                    r(self.three(r(self.three_in(x)))),
                    r(self.five(r(self.five_in(x)))),
                    r(self.pool(F.max_pool2d(x, 3, 1, 1))),
                ],
                1,
            )

    class Inception(nn.Module):
        def __init__(self):
            super().__init__()
            self.block1, self.block2 = Block(1, 6), Block(24, 16)

        def forward(self, x):
            return F.max_pool2d(self.block2(F.max_pool2d(self.block1(x), 2)), 2)

    class TwoStreams(nn.Module):
        def __init__(self, stream, sizes):
            super().__init__()
            self.u, self.v = stream(), stream()
            for i in range(1, len(sizes)):
                self.add_module(f'fc{i}', nn.Linear(sizes[i - 1], sizes[i]))
            self.last = len(sizes) - 1

        def forward(self, x):
            x = torch.cat([self.u(x[:, :1]).flatten(1), self.v(x[:, 1:]).flatten(1)], 1)
            for i in range(1, self.last):
                x = torch.relu(getattr(self, f'fc{i}')(x))
            return getattr(self, f'fc{self.last}')(x)

    class Alexnet(nn.Module):
        def __init__(self, hidden=64):
            super().__init__()
            c, r, p = nn.Conv2d, nn.ReLU, nn.MaxPool2d
            self.features = nn.Sequential(
                c(2, 64, 11, 4, 2),
                r(),
                p(3, 2),
                c(64, 192, 5, padding=2),
                r(),
                p(3, 2),
                c(192, 384, 3, padding=1),
                r(),
                c(384, 256, 3, padding=1),
                r(),
                c(256, 256, 3, padding=1),
                r(),
                p(3, 2),
            )
            self.classifier = nn.Sequential(
                nn.Dropout(0),
                nn.Linear(9216, hidden),
                r(),
                nn.Dropout(0),
                nn.Linear(hidden, hidden),
                r(),
                nn.Linear(hidden, 3),
            )

        def forward(self, x):
            return self.classifier(F.adaptive_avg_pool2d(self.features(x), 6).flatten(1))

    class Plain(nn.Module):
        def __init__(self, convolutions, dense):
            super().__init__()
            for i, (settings, bias) in enumerate(convolutions, 1):
                self.add_module(f'conv{i}', nn.Conv2d(*settings, bias=bias))
                if not bias:
                    self.add_module(f'bn{i}', nn.BatchNorm2d(settings[1]))
            for i in range(1, 4):
                self.add_module(f'fc{i}', nn.Linear(dense[i - 1], dense[i]))

        def head(self, x):
            return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))

    class Vggm(Plain):
        """The short paths round conv1 (v1), conv2 (v2), both together (v3) or each (v4) are average
        pools of what they skip.
        """

        def __init__(self, width=96, path='none', merge='concat'):
            a, b, c = width, width * 8 // 3, width * 16 // 3
            skip1, extra = 2 * (path in ('v1', 'v4')), merge == 'concat'
            into2 = a + extra * skip1
            skip2 = {'v2': into2, 'v3': 2, 'v4': into2}.get(path, 0)
            super().__init__(
                [
                    ((2, a, 7, 2), True),
                    ((into2, b, 5, 2), True),
                    ((b + extra * skip2, c, 3, 1, 1), True),
                    ((c, c, 3, 1, 1), True),
                    ((c, c, 3, 1, 1), True),
                ],
                (c, 128, 128, 3),
            )
            for number, channels, features in ((1, skip1, a), (2, skip2, b)):
                if channels and not extra:
                    self.add_module(f'skip{number}', nn.Conv2d(channels, features, 1, bias=False))
            self.path, self.merge = path, merge
            self.norm = (5, 5e-4, 0.75, 2.0)

        def join(self, x, skipped, number):
            if self.merge == 'concat':
                return torch.cat([x, skipped], 1)
            return x + getattr(self, f'skip{number}')(skipped)

        def after(self, x):
            return F.max_pool2d(F.local_response_norm(x, *self.norm), 3, 2)

        def forward(self, image):
            x = torch.relu(self.conv1(image))
            if self.path in ('v1', 'v4'):
                x = self.join(x, F.avg_pool2d(image, 7, 2), 1)
            pooled = self.after(x)
            x = torch.relu(self.conv2(pooled))
            if self.path in ('v2', 'v4'):
                x = self.join(x, F.avg_pool2d(pooled, 5, 2), 2)
            if self.path == 'v3':
                x = self.join(
                    x, F.avg_pool2d(F.avg_pool2d(F.avg_pool2d(image, 7, 2), 3, 2), 5, 2), 2
                )
            x = self.after(x)
            for conv in (self.conv3, self.conv4, self.conv5):
                x = torch.relu(conv(x))
            return self.head(F.max_pool2d(x, 3, 2).flatten(1))

    class Ocnet(Plain):
        def __init__(self):
            widths = (2, 32, 64, 128, 256, 512)
            super().__init__(
                [((widths[i], widths[i + 1], 3, 1, 1), i > 1) for i in range(5)], (512, 128, 128, 3)
            )

        def forward(self, x):
            x = torch.relu(self.bn1(self.conv1(x)))
            x = torch.relu(self.bn2(self.conv2(x)))
            for conv in (self.conv3, self.conv4, self.conv5):
                x = F.max_pool2d(torch.relu(conv(x)), 3, 2)
            return self.head(x.mean((2, 3)))

    class Clips(nn.Module):
        """Convolutions over time too, each with a pool; then two dense layers."""

        def __init__(self, widths, kernel, padding, window, dense, grid=0):
            super().__init__()
            for i, width in enumerate(widths, 1):
                self.add_module(
                    f'conv{i}',
                    nn.Conv3d(1 if i == 1 else widths[i - 2], width, kernel, padding=padding),
                )
            self.fc1, self.fc2 = nn.Linear(dense, 128), nn.Linear(128, 3)
            self.window, self.grid, self.depth = window, grid, len(widths)

        def forward(self, x):
            for i in range(1, self.depth + 1):
                x = F.max_pool3d(torch.relu(getattr(self, f'conv{i}')(x)), self.window)
            x = F.adaptive_avg_pool3d(x, (1, self.grid, self.grid)) if self.grid else x
            return self.fc2(torch.relu(self.fc1(x.flatten(1))))

    class Residual(nn.Module):
        """Basic block of ResNet18: the first of a stage, where the shape changes, adds a 1x1
        convolution of its input.
        """

        def __init__(self, before, width, stride):
            super().__init__()
            self.conv1, self.bn1 = (
                nn.Conv2d(before, width, 3, stride, 1, bias=False),
                nn.BatchNorm2d(width),
            )
            self.conv2, self.bn2 = (
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
            )
            self.downsample = nn.Identity()
            if before != width:
                self.downsample = nn.Sequential(
                    nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width)
                )

        def forward(self, x):
            return torch.relu(
                self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))) + self.downsample(x)
            )

    class Hybrid(nn.Module):
        """ResNet18 behind a 3x3/1 stem without max-pool; 128 features."""

        def __init__(self, width=8, blocks=2):
            super().__init__()
            self.stem = nn.Sequential()
            self.stem.add_module('conv1', nn.Conv2d(9, width, 3, padding=1, bias=False))
            self.stem.add_module('bn1', nn.BatchNorm2d(width))
            widths = [width, width, 2 * width, 4 * width, 8 * width]
            for i in range(1, 5):
                stage = [Residual(widths[i - 1], widths[i], 1 if i == 1 else 2)]
                stage += [Residual(widths[i], widths[i], 1) for _ in range(blocks - 1)]
                self.add_module(f'layer{i}', nn.Sequential(*stage))
            self.dense1, self.dense2 = nn.Linear(8 * width, 128), nn.Linear(128, 3)

        def forward(self, x):
            x = self.layer4(self.layer3(self.layer2(self.layer1(torch.relu(self.stem(x))))))
            return self.dense2(torch.relu(self.dense1(x.mean((2, 3)))))

    class Sssnet(nn.Module):
        """One stream of two convolutions; the pool stands before batch norm."""

        def __init__(self, side=28):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 32, 5), nn.BatchNorm2d(32)
            self.conv2, self.bn2 = nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64)
            last = ((side - 4) // 3 - 2) // 2
            self.fc1, self.fc = nn.Linear(64 * last * last, 256), nn.Linear(256, 3)

        def forward(self, x):
            x = self.bn1(F.max_pool2d(torch.relu(self.conv1(x)), 3, 3))
            x = self.bn2(F.max_pool2d(torch.relu(self.conv2(x)), 2, 2))
            return self.fc(torch.relu(self.fc1(x.flatten(1))))

    class RcnA(nn.Module):
        """The 3x3 convolution and its batch norm are used twice; the last layer's kernel weighs
        places, too.
        """

        def __init__(self, width=32, grid=5):
            super().__init__()
            self.grid = grid
            self.conv1 = nn.Sequential(nn.Conv2d(3, width, 5), nn.BatchNorm2d(width))
            self.rcls = nn.ModuleList([nn.Module()])
            for name, size in (('ffconv', 1), ('rrconv', 3)):
                conv = nn.Conv2d(width, width, size, padding=size // 2)
                setattr(self.rcls[0], name, nn.Sequential(conv, nn.BatchNorm2d(width)))
            self.classifier = nn.Linear(width * grid * grid, 3)

        def attention(self, pooled):
            maps = []
            for row in self.classifier.weight:
                evidence = (row.reshape(pooled.shape[1:]) * pooled).mean(1).flatten(1)
                evidence = evidence - evidence.min(1, keepdim=True).values
                maps.append(evidence / evidence.max(1, keepdim=True).values)
            return torch.stack(maps).mean(0).reshape(-1, 1, self.grid, self.grid)

        def forward(self, x):
            x = F.max_pool2d(torch.relu(self.conv1(x)), 2)
            weights = self.attention(F.adaptive_avg_pool2d(x, self.grid))
            block = self.rcls[0]
            a = torch.relu(block.ffconv(x))
            b = torch.relu(block.rrconv(x + a))
            c = torch.relu(block.rrconv(x + b))
            pooled = F.adaptive_avg_pool2d(F.max_pool2d(c, 2), self.grid)
            return self.classifier((pooled * weights).flatten(1))

    class Attention(nn.Module):
        """Softmax attention over the pixels of [N, C, H, W]."""

        def __init__(self, dim, heads):
            super().__init__()
            self.heads, self.size = heads, dim // heads
            inner = heads * self.size
            self.to_qkv = nn.Conv2d(dim, 3 * inner, 1, bias=False)
            self.attend = nn.Softmax(-1)
            self.to_out = nn.Sequential(nn.Conv2d(inner, dim, 1))

        def forward(self, x):
            n, _, h, w = x.shape
            q, k, v = self.to_qkv(x).reshape(n, 3, self.heads, self.size, h * w).unbind(1)
            weights = self.attend(torch.einsum('nhdq,nhdk->nhqk', q, k) / self.size**0.5)
            return self.to_out(torch.einsum('nhqk,nhdk->nhdq', weights, v).reshape(n, -1, h, w))

    class ChannelNorm(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.g = nn.Parameter(torch.ones(1, dim, 1, 1))
            self.b = nn.Parameter(torch.zeros(1, dim, 1, 1))

        def forward(self, x):
            return F.layer_norm(x.movedim(1, -1), x.shape[1:2]).movedim(-1, 1) * self.g + self.b

    class Normed(nn.Module):
        def __init__(self, dim, fn):
            super().__init__()
            self.norm, self.fn = ChannelNorm(dim), fn

        def forward(self, x):
            return x + self.fn(self.norm(x))

    class Dense(nn.Module):
        def __init__(self, dim):
            super().__init__()
            up, down = nn.Conv2d(dim, 4 * dim, 1), nn.Conv2d(4 * dim, dim, 1)
            self.net = nn.Sequential(up, nn.GELU(), nn.Identity(), down)

        def forward(self, x):
            return self.net(x)

    class Blocks(nn.Module):
        """Transformer blocks over the pixels of each part of the image."""

        def __init__(self, dim, heads, tokens, depth):
            super().__init__()
            self.pos_emb = nn.Parameter(torch.randn(tokens))
            pairs = [
                nn.ModuleList([Normed(dim, Attention(dim, heads)), Normed(dim, Dense(dim))])
                for _ in range(depth)
            ]
            self.layers = nn.ModuleList(pairs)

        def part(self, x):
            x = x + self.pos_emb.reshape(x.shape[2:])
            for attention, dense in self.layers:
                x = dense(attention(x))
            return x

        def forward(self, x, parts):
            rows = [
                torch.cat([self.part(part) for part in row.chunk(parts, 3)], 3)
                for row in x.chunk(parts, 2)
            ]
            return torch.cat(rows, 2)

    class Htnet(nn.Module):
        """Squares, patches, and levels of blocks that are joined by a convolution and a pool."""

        def __init__(self, dim=8, depth=1, heads=3, patch=14, hierarchies=2):
            super().__init__()
            self.patch = patch
            embed = nn.Conv2d(3 * patch * patch, dim, 1)
            self.to_patch_embedding = nn.Sequential(nn.Identity(), embed)
            tokens = (28 // patch // 2 ** (hierarchies - 1)) ** 2
            self.layers = nn.ModuleList()
            for level in range(hierarchies):
                last, width = level == hierarchies - 1, dim * 2**level
                blocks = Blocks(width, heads * 2**level, tokens, depth if last else 2)
                join = nn.Identity()
                if not last:
                    conv = nn.Conv2d(width, 2 * width, 3, padding=1)
                    join = nn.Sequential(conv, ChannelNorm(2 * width), nn.MaxPool2d(3, 2, 1))
                self.layers.append(nn.ModuleList([blocks, join]))
            self.mlp_head = nn.Sequential(
                ChannelNorm(width), nn.AdaptiveAvgPool2d(1), nn.Linear(width, 3)
            )

        def squares(self, x):
            top = torch.cat([x[:, :, 2:16, 4:18], x[:, :, 14:28, 3:17]], 3)
            bottom = torch.cat([x[:, :, 3:17, 14:28], x[:, :, 13:27, 14:28]], 3)
            return torch.cat([top, bottom], 2)

        def forward(self, x):
            patches = F.unfold(self.squares(x), self.patch, stride=self.patch)
            # F.unfold has channels first, the network has them last
            patches = patches.unflatten(1, (3, -1)).transpose(1, 2).flatten(1, 2)
            side = 28 // self.patch
            x = self.to_patch_embedding(patches.unflatten(2, (side, side)))
            for level, (blocks, join) in enumerate(self.layers):
                x = join(blocks(x, 2 ** (len(self.layers) - 1 - level)))
            norm, pool, fc = self.mlp_head
            return fc(pool(norm(x)).flatten(1))

    def cnn3d(head='grid4', width=16):
        dense = 2 * width * {'grid4': 4 * 4, 'gap': 1, 'flatten': 2 * 5 * 5}[head]
        return Clips((width, width, 2 * width), 3, 1, 2, dense, {'grid4': 4, 'gap': 1}.get(head, 0))

    return {
        'cnn3d': cnn3d,
        'microexpstcnn': lambda: Clips((32,), (15, 3, 3), 0, 3, 32 * 2 * 4 * 4),
        'ststnet': Ststnet,
        'offapexnet': lambda: TwoStreams(Stream, (1568, 1024, 1024, 3)),
        'dual_inception': lambda: TwoStreams(Inception, (6272, 1024, 3)),
        'alexnet': Alexnet,
        'vggm': Vggm,
        'ocnet': Ocnet,
        'hybrid_cnn': Hybrid,
        'sssnet': Sssnet,
        'rcn_a': RcnA,
        'htnet': Htnet,
    }
